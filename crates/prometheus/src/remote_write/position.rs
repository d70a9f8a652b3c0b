//! Where in the log a sender is, kept over restarts: one small text file an endpoint.

use std::path::{Path, PathBuf};

use streamflow_tsdb::Position;

/// The file of an endpoint's position. Its name is the endpoint's, with `%XX` for everything but letters and digits.
pub fn path(dir: &Path, name: &str) -> PathBuf {
    let mut file = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => file.push(char::from(byte)),
            _ => file.push_str(&format!("%{byte:02X}")),
        }
    }
    dir.join(file + ".position")
}

/// The kept position; where there is none the oldest, so that everything there is will be sent.
///
/// # Errors
/// Where the file is there and cannot be read or holds no position.
pub fn load(path: &Path) -> Result<Position, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Position::default()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    text.trim()
        .parse()
        .map_err(|error| format!("{}: {error}; remove the file to send all again", path.display()))
}

/// Keeps a position. A disk may take long to confirm it, so that is waited for off the threads that serve.
///
/// # Errors
/// Where the system refuses.
pub async fn save(path: PathBuf, position: Position) -> Result<(), String> {
    let saved = tokio::task::spawn_blocking(move || position.save(&path)).await;
    saved.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn kept_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(&dir.path().join("new"), "http://a:9090/x");
        assert!(path.ends_with("new/http%3A%2F%2Fa%3A9090%2Fx.position"));
        assert_eq!(load(&path), Ok(Position::default()));
        let position: Position = "3:77".parse().unwrap();
        save(path.clone(), position).await.unwrap();
        assert_eq!(load(&path), Ok(position));
        std::fs::write(&path, "nonsense").unwrap();
        assert!(load(&path).unwrap_err().contains("nonsense"));
    }
}
