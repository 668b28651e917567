//! A server process that ends when the test ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{Client, artifacts};

/// A `jig` command without the user's settings (`JIG_*`, `HF_*`), so that they can't change a test's result.
pub fn jig() -> Command {
    let artifacts = artifacts();
    let mut command = Command::new(&artifacts.jig);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("JIG_") || key.to_string_lossy().starts_with("HF_") {
            command.env_remove(key);
        }
    }
    command.env("XDG_CACHE_HOME", artifacts.scratch.join("cache"));
    command.env("HF_HOME", artifacts.scratch.join("hub"));
    command
}

/// A running server on a free port of the loopback address. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts the embedded model on the CPU backend's `.so`, and not on the embedded backend, so that tests cross the plugin's ABI.
    pub fn demo() -> Self {
        Self::demo_with(&[])
    }

    /// As [`Server::demo`], with further arguments.
    pub fn demo_with(arguments: &[&str]) -> Self {
        let plugin = artifacts().cpu_plugin.to_str().expect("the path of the plugin is UTF-8");
        let mut all = vec!["--model", "demo", "--backend", plugin, "--port", "0"];
        all.extend_from_slice(arguments);
        Self::start(&all)
    }

    /// Starts `jig` with only these arguments and waits until it is ready.
    ///
    /// # Panics
    /// If it is not within two minutes; the message holds the log.
    pub fn start<A: AsRef<OsStr>>(arguments: &[A]) -> Self {
        Self::spawn(jig().args(arguments))
    }

    /// As [`Server::start`], with a command that the test has prepared.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn spawn(command: &mut Command) -> Self {
        let mut server = Self::begin(command);
        let end = Instant::now() + Duration::from_secs(120);
        while !server.log().contains("ready after ") {
            let ended = server.child.try_wait().expect("the process can be waited for");
            assert!(ended.is_none() && Instant::now() < end, "jig did not become ready ({ended:?}):\n{}", server.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts `jig` with a command that the test has prepared, and waits until it logs its address. The model may not be loaded yet.
    ///
    /// # Panics
    /// If no address is logged within two minutes; the message holds the log.
    pub fn begin(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("jig starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
        let copy = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    // A space, the escape sequence of a colour or the end of a JSON string may follow the address.
                    let end = address.find([' ', '\u{1b}', '"']).unwrap_or(address.len());
                    let _ = ready.send(address[..end].to_owned());
                }
                let mut log = copy.lock().expect("no reader of the log panicked");
                log.push_str(&line);
                log.push('\n');
            }
        });
        match is_ready.recv_timeout(Duration::from_secs(120)) {
            Ok(address) => Self { child, address, log },
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("jig did not come up:\n{}", log.lock().expect("no reader of the log panicked"));
            }
        }
    }

    /// `http://127.0.0.1:PORT` (or `https`).
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// A client of another address of this server.
    pub fn client_at(&self, address: &str) -> Client {
        Client::new(address)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader of the log panicked").clone()
    }

    /// A line of the log with this beginning. Waits for it, because the last lines may arrive after the process has ended.
    ///
    /// # Panics
    /// If the log has no such line after `limit`.
    pub fn line(&self, begins: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            if let Some(line) = self.log().lines().find(|line| line.starts_with(begins)) {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "no line begins with {begins:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A line of the log with this text. Waits for it.
    ///
    /// # Panics
    /// If the log has no such line after `limit`.
    pub fn line_with(&self, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            if let Some(line) = self.log().lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "no line has {text:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill starts");
        assert!(status.success(), "the process is still running");
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has exited.
    ///
    /// # Panics
    /// If it is still running after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "the server is still running:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
