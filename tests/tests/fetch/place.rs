//! What every test of this suite needs: a file to write to, a fetcher that is not patient.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use stxl_fetch::{
    Address, FetchOptions, Fetcher, NowhereError, ObtainError, Obtained, Request, TransferLimits,
};
use stxl_model::Sha256;
use tempfile::TempDir;

/// Replies that are used again and again.
pub(crate) const WHOLE: &str = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{whole}";

/// A place to fetch into.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) options: FetchOptions,
}

/// What a fetch came to, for people to read in a failing test.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) result: Result<Obtained, NowhereError>,
    /// What is in the file afterwards.
    pub(crate) bytes: Vec<u8>,
}

impl Place {
    /// An empty file, and times that let a test go on quickly.
    pub(crate) fn new() -> Self {
        let limits = TransferLimits {
            connect: Duration::from_secs(5),
            answer: Duration::from_millis(600),
            stall: Duration::from_millis(400),
            attempts: 3,
            back_off: Duration::from_millis(1),
            back_off_max: Duration::from_millis(50),
            file_bytes_max: 4 << 20,
            client: Duration::from_secs(20),
            repository: Duration::from_secs(20),
        };
        Self {
            folder: tempfile::tempdir().expect("a temporary directory"),
            options: FetchOptions {
                limits,
                ..FetchOptions::default()
            },
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder for the clients of ecosystems.
    pub(crate) fn fetcher(&self) -> Fetcher {
        let folder = self.path("clients");
        fs::create_dir_all(&folder).expect("a folder for clients");
        Fetcher::new(self.options.clone(), folder)
    }

    pub(crate) fn file(&self) -> File {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        options.open(self.path("file")).expect("a file")
    }

    /// Has a file from an address.
    pub(crate) fn fetch(&self, address: &str, sha256: Option<Sha256>) -> Came {
        self.fetch_with(&self.fetcher(), address, sha256)
    }

    pub(crate) fn fetch_with(
        &self,
        fetcher: &Fetcher,
        address: &str,
        sha256: Option<Sha256>,
    ) -> Came {
        let address = Address::parse(address).expect("an address");
        let file = self.file();
        let request = Request {
            address: &address,
            sha256,
            file: &file,
        };
        let result = match fetcher.obtain(&request, &mut |_| ()) {
            Ok(obtained) => Ok(obtained),
            Err(ObtainError::Nowhere(nowhere)) => Err(nowhere),
            Err(other) => panic!("{other:?}"),
        };
        let bytes = fs::read(self.path("file")).expect("the file is there");
        Came { result, bytes }
    }
}

impl Came {
    /// What was wrong, one line for each place.
    pub(crate) fn complaint(&self) -> String {
        match &self.result {
            Ok(obtained) => panic!("it came: {obtained:?}"),
            Err(nowhere) => {
                let lines = nowhere.attempts.iter().map(ToString::to_string);
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }
}
