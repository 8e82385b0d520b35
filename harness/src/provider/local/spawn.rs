//! Starting a server so that it cannot outlive this process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::unistd::{Gid, Uid, User};

use super::search::find_program;

/// What to start.
#[derive(Debug)]
pub(super) struct Launch {
    /// Program.
    pub program: PathBuf,
    /// Arguments; never a secret.
    pub args: Vec<OsString>,
    /// Environment besides PATH, HOME and the locale; never a secret.
    pub envs: Vec<(&'static str, OsString)>,
    /// Working directory, inside the private directory.
    pub cwd: PathBuf,
    /// Where its output is appended.
    pub log: PathBuf,
    /// User to run as, where it is not ours.
    pub user: Option<RunAs>,
}

/// Another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunAs {
    /// User id.
    pub uid: Uid,
    /// Group id.
    pub gid: Gid,
}

/// The user for a server that refuses root: `postgres`, else nobody; `None` where we are not root.
pub(super) fn unprivileged() -> Option<RunAs> {
    const NOBODY: u32 = 65_534;
    Uid::effective().is_root().then(|| match User::from_name("postgres") {
        Ok(Some(user)) => RunAs { uid: user.uid, gid: user.gid },
        _ => RunAs { uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY) },
    })
}

/// Starts a server in its own process group, with a clean environment, its output appended to its log.
///
/// # Errors
/// The program, its log or its directory cannot be opened; another user is wanted and `setpriv` is missing.
pub(super) fn spawn(launch: &Launch) -> io::Result<Child> {
    let log = open_log(&launch.log)?;
    let mut command = command(launch)?;
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", &launch.cwd)
        .env("LC_ALL", "C")
        .envs(launch.envs.iter().map(|(key, value)| (key, value)))
        .current_dir(&launch.cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    on_lasting_thread(command)
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o644).open(path)
}

/// Puts `setpriv` in front where it is there: it asks for SIGKILL at the parent's death and changes the user.
fn command(launch: &Launch) -> io::Result<Command> {
    let Some(setpriv) = setpriv() else {
        if launch.user.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "it refuses to run as root, and setpriv (package util-linux) is missing",
            ));
        }
        let mut command = Command::new(&launch.program);
        command.args(&launch.args);
        return Ok(command);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = launch.user {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command.arg("--").arg(&launch.program).args(&launch.args);
    Ok(command)
}

/// `setpriv`, where it is there and knows `--pdeathsig` (util-linux since 2.33).
pub(super) fn setpriv() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let path = find_program("setpriv", std::env::var_os("PATH").as_deref())?;
            let help = Command::new(&path).arg("--help").stdin(Stdio::null()).output().ok()?;
            String::from_utf8_lossy(&help.stdout).contains("--pdeathsig").then_some(path)
        })
        .as_deref()
}

/// The kernel sends the parent-death signal when the *thread* that forked ends, so all servers are started
/// from one thread that ends with the process.
fn on_lasting_thread(command: Command) -> io::Result<Child> {
    type Request = (Command, Sender<io::Result<Child>>);
    static THREAD: OnceLock<Option<Sender<Request>>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts servers is gone");
    let thread = THREAD.get_or_init(|| {
        let (requests, incoming) = channel::<Request>();
        let work = move || {
            for (mut command, reply) in incoming {
                let _ = reply.send(command.spawn());
            }
        };
        thread::Builder::new().name("spawner".into()).spawn(work).ok().map(|_| requests)
    });
    let (reply, answer) = channel();
    thread.as_ref().ok_or_else(gone)?.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
