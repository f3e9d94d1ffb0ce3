//! Threads that say so when they panic, so that nobody waits for a dead one.

use std::thread::{self, JoinHandle};

use crate::exit::{Exit, Failure};

/// Starts a thread. If `run` panics, `panicked` is called with what to tell the user.
///
/// # Errors
/// [`Failure`] where the system gives no thread.
pub fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
    panicked: impl FnOnce(Failure) + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    let alarm = Alarm {
        name,
        panicked: Some(panicked),
    };
    let body = move || {
        let _alarm = alarm;
        run();
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|e| {
            Failure::new(
                Exit::Failure,
                format_args!("cannot start a thread: {e}; free memory first"),
            )
        })
}

struct Alarm<P: FnOnce(Failure)> {
    name: &'static str,
    panicked: Option<P>,
}

impl<P: FnOnce(Failure)> Drop for Alarm<P> {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(panicked) = self.panicked.take()
        {
            panicked(Failure::new(
                Exit::Failure,
                format_args!(
                    "the {} thread panicked; please report this with the lines above",
                    self.name
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn only_a_panic_is_told() {
        let (sender, receiver) = mpsc::channel();
        let quiet = sender.clone();
        let done = spawn("quiet", || (), move |failure| quiet.send(failure).unwrap());
        assert!(done.unwrap().join().is_ok());
        let died = spawn(
            "loud",
            || panic!("on purpose"),
            move |failure| sender.send(failure).unwrap(),
        );
        assert!(died.unwrap().join().is_err());
        let told: Vec<Failure> = receiver.iter().collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].message.starts_with("the loud thread panicked"));
        assert_eq!(told[0].exit, Exit::Failure);
    }
}
