//! What comes before a sender has its place: its Hello, judged without the decoder, so that one who
//! is refused, breaks the protocol or says nothing takes the place of nobody.

use std::time::Duration;

use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream};
use raq_shared::exit::Failure;
use raq_shared::quic::Close;
use raq_shared::video::VideoFormat;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::{Clock, Outcome, next_chunk, turned_true, until};
use crate::session::{End, Input, Output, Session, Settings};

/// How long words may take to be written, and the last ones to arrive.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// What a greeting came to.
pub(crate) enum Greeting {
    /// The Hello fits: the session waits for its place.
    Fits(Box<Greeted>),
    Over(Outcome),
}

/// A session whose Hello fits.
pub(crate) struct Greeted {
    pub(crate) clock: Clock,
    pub(crate) session: Session,
    pub(crate) control: Option<SendStream>,
    pub(crate) control_in: Option<RecvStream>,
    /// What the sender wants to send.
    pub(crate) format: VideoFormat,
}

/// Hears what the peer wants; `stop` turning true ends it.
pub(crate) async fn greet(
    connection: &Connection,
    settings: Settings,
    mut stop: watch::Receiver<bool>,
) -> Greeting {
    let clock = Clock::start();
    let mut session = Session::new(settings, clock.now());
    let mut control: Option<SendStream> = None;
    let mut control_in = None;
    let mut lost = None;
    let mut stopped = false;
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Control(bytes) => {
                    if let Some(stream) = &mut control {
                        write(stream, &bytes).await;
                    }
                }
                Output::Prepare(format) => {
                    return Greeting::Fits(Box::new(Greeted {
                        clock,
                        session,
                        control,
                        control_in,
                        format,
                    }));
                }
                Output::End(end) => {
                    farewell(connection, control.filter(|_| lost.is_none()), &end, None).await;
                    return Greeting::Over(Outcome::new(end, lost));
                }
                // Nothing else comes before the format.
                output => tracing::debug!(?output, "out of turn"),
            }
        }
        let deadline = session.deadline().map(|at| clock.instant(at));
        let connected = lost.is_none();
        let mut lose = |error| {
            lost = Some(error);
            Input::Lost
        };
        let chunk;
        let input = tokio::select! {
            streams = connection.accept_bi(), if connected && control.is_none() => match streams {
                Ok((send, receive)) => {
                    control = Some(send);
                    control_in = Some(receive);
                    continue;
                }
                Err(error) => lose(error),
            },
            read = next_chunk(&mut control_in), if connected => match read {
                Ok(Some(read)) => {
                    chunk = read;
                    Input::Control(&chunk.bytes)
                }
                Ok(None) | Err(ReadError::Reset(_)) => {
                    control_in = None;
                    Input::ControlEnd
                }
                Err(ReadError::ConnectionLost(error)) => lose(error),
                Err(_) => lose(ConnectionError::Reset),
            },
            error = connection.closed(), if connected => lose(error),
            () = until(deadline) => Input::Timeout,
            () = turned_true(&mut stop), if !stopped => {
                stopped = true;
                Input::Stop
            }
        };
        session.handle(clock.now(), input);
    }
}

impl Greeted {
    /// Says what the session, which has come to its end without its place, has to say.
    pub(crate) async fn refuse(mut self, connection: &Connection) -> Outcome {
        let mut end = End::Stopped;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Control(bytes) => {
                    if let Some(stream) = &mut self.control {
                        write(stream, &bytes).await;
                    }
                }
                Output::End(its) => end = its,
                output => tracing::debug!(?output, "out of turn"),
            }
        }
        farewell(connection, self.control, &end, None).await;
        Outcome::new(end, None)
    }

    /// Ends it because of a failure of this end.
    pub(crate) async fn fail(self, connection: &Connection, failure: &Failure) {
        farewell(connection, self.control, &End::Stopped, Some(failure)).await;
    }
}

/// A peer that takes nothing must not hold up everything else.
async fn write(stream: &mut SendStream, bytes: &[u8]) {
    if !matches!(timeout(FAREWELL, stream.write_all(bytes)).await, Ok(Ok(()))) {
        tracing::debug!("cannot answer the sender");
    }
}

/// Makes sure that the last words arrive, then closes the connection; `control` is there where the
/// peer still listens to it. Where a `failure` of this end is the reason, the peer hears of it what it
/// may.
pub(crate) async fn farewell(
    connection: &Connection,
    control: Option<SendStream>,
    end: &End,
    failure: Option<&Failure>,
) {
    if let Some(mut stream) = control
        && stream.finish().is_ok()
    {
        let _ = timeout(FAREWELL, stream.stopped()).await;
    }
    let close = match end {
        _ if failure.is_some() => Close::Failed,
        End::Done | End::Stopped | End::Lost => Close::Done,
        End::Refused(_) => Close::Refused,
        End::Broken(_) => Close::Protocol,
        End::Superseded => Close::Superseded,
    };
    let reason = match failure {
        Some(failure) => failure.told.clone(),
        None => Some(end.to_string()),
    };
    connection.close(close.into(), reason.unwrap_or_default().as_bytes());
}
