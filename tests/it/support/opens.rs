//! How often files are opened, as the kernel tells.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Counts from when it was made, whoever opens them.
pub(crate) struct Opens(Inotify);

impl Opens {
    /// Of a file, or of the files of a folder.
    pub(crate) fn of(path: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).expect("files can be watched");
        inotify.add_watch(path, AddWatchFlags::IN_OPEN).expect("it is there");
        Self(inotify)
    }

    /// How many there were since the last count. That a folder was listed is none.
    pub(crate) fn count(&self) -> usize {
        let mut count = 0;
        loop {
            match self.0.read_events() {
                Ok(events) => {
                    let files = events.iter();
                    count += files.filter(|of| !of.mask.contains(AddWatchFlags::IN_ISDIR)).count();
                }
                Err(Errno::EAGAIN) => return count,
                Err(error) => panic!("events cannot be read: {error}"),
            }
        }
    }
}
