//! How sessions end.

/// How a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum End {
    /// The sender said Bye and everything is decoded.
    #[error("the sender has ended")]
    Done,
    /// The user stopped it.
    #[error("stopped")]
    Stopped,
    /// This end refused the sender.
    #[error("{0}")]
    Refused(String),
    /// The sender broke the protocol.
    #[error("{0}; install the same version of raq on both sides")]
    Broken(String),
    /// The connection was lost before the sender said Bye.
    #[error("the connection was lost")]
    Lost,
    /// Another connection with the same key takes its place, or, after a silence, any other.
    #[error("the sender has connected anew, or another one has, with its key or after its silence")]
    Superseded,
}
