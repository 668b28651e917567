//! HTTP by hand: for what no well-behaved client does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jig_tests::Server;

/// A connection to a server.
pub(crate) fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.address().strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

/// Sends bytes. A server that has closed already may be noticed here or when its answer is read.
pub(crate) fn send(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes());
}

/// Reads to the end of the connection, or until `enough` is in it.
pub(crate) fn read(socket: &mut TcpStream, enough: &str) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length) = socket.read(&mut buffer) {
        all.extend_from_slice(&buffer[..length]);
        if length == 0 || String::from_utf8_lossy(&all).contains(enough) {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The head of a request with a body of so many bytes.
pub(crate) fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}
