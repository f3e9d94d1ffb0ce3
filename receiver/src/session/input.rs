//! What a session is told.

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes of the control stream.
    Control(&'a [u8]),
    /// The sender ended the control stream.
    ControlEnd,
    /// Bytes of the stream that carries codebooks.
    Codebook(&'a [u8]),
    /// That stream is over.
    CodebookEnd,
    /// A datagram.
    Datagram(&'a [u8]),
    /// The decoder is ready for the format of [`Output::Prepare`](super::Output::Prepare).
    Prepared,
    /// All frames before [`Output::Drain`](super::Output::Drain) are decoded and written.
    Drained {
        /// Frames decoded, in whole or in part.
        frames_decoded: u32,
    },
    /// The connection is gone.
    Lost,
    /// The user wants to stop.
    Stop,
    /// The sender has come back on another connection.
    Superseded,
    /// [`Session::deadline`](super::Session::deadline) has come.
    Timeout,
}
