//! The programs, which never import each other.
