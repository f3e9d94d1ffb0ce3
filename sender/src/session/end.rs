//! How sessions end.

/// How a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The receiver has everything.
    #[error("done")]
    Done,
    /// The user stopped it before or during the session.
    #[error("stopped")]
    Stopped,
    /// The receiver has another model.
    #[error("{0}")]
    Model(String),
    /// The receiver has another sender.
    #[error("{0}")]
    Busy(String),
    /// The receiver refused for another reason, or speaks another protocol version.
    #[error("{0}")]
    Refused(String),
    /// The receiver broke the protocol.
    #[error("{0}; install the same version of raq on both sides")]
    Broken(String),
    /// The receiver says nothing.
    #[error("{0}; look whether raq-recv is still well there and start again")]
    Silent(&'static str),
    /// The receiver ended the session before everything was sent.
    #[error("the receiver has ended the session")]
    Left,
    /// The connection was lost, or closed by the receiver.
    #[error("the connection was lost")]
    Lost,
}
