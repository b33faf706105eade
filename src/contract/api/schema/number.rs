//! Whole numbers and their bounds.

use utoipa::openapi::schema::{KnownFormat, Object, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};

use super::described;
use crate::contract::api::audit::{
    MOST_CHECKPOINTS, MOST_ENTRIES, USUAL_CHECKPOINTS, USUAL_ENTRIES,
};
use crate::contract::api::holders::{MOST_HOLDERS, USUAL_HOLDERS};

/// Minutes or uses: at least one, and no more than 32 bits.
pub struct Count;

/// A place in the audit.
pub struct Cursor;

/// How many of an audit's entries are wanted.
pub struct EntriesWanted;

/// How many of the audit's signed heads are wanted.
pub struct CheckpointsWanted;

/// How many holders are wanted.
pub struct HoldersWanted;

described! {
    Count = Object::builder()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(u32::MAX as usize))
        .into();
    Cursor = Object::builder()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(usize::MAX))
        .into();
    EntriesWanted = limit(MOST_ENTRIES, USUAL_ENTRIES);
    CheckpointsWanted = limit(MOST_CHECKPOINTS, USUAL_CHECKPOINTS);
    HoldersWanted = limit(MOST_HOLDERS, USUAL_HOLDERS);
}

fn limit(most: usize, usual: usize) -> RefOr<Schema> {
    let builder = Object::builder().schema_type(Type::Integer);
    builder.minimum(Some(1)).maximum(Some(most)).default(Some(usual.into())).into()
}
