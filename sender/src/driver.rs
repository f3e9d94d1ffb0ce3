//! The program: opens everything, and runs its sessions.

use std::path::Path;
use std::sync::Arc;

use raq_shared::cli;
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::Role;
use raq_shared::model::{Model, Temporal};
use raq_shared::observe::Observers;
#[cfg(feature = "qlog")]
use raq_shared::observe::qlog::Qlog;
use raq_shared::tile::TileGrid;

use crate::choice::Speed;
use crate::clock::Clock;
use crate::code::MakeCoder;
use crate::contact::Contact;
use crate::frame_coder::FrameCoder;
use crate::options::{Effort, Options};
use crate::pipeline::{Parts, Pipeline};
use crate::reconnect::Reconnect;
use crate::session::Settings;
use crate::sessions::Sessions;
use crate::tally::Tally;

/// Does what the command line asks for.
///
/// # Errors
/// [`Failure`] with the exit code and one line for the user.
pub fn run(options: &Options) -> Result<(), Failure> {
    let console = options.common.start_logging();
    if let Some(verb) = &options.verb {
        return verb.run(Role::Receiver);
    }
    if options.common.print(&options.common.model_options())? {
        return Ok(());
    }
    #[cfg(feature = "camera")]
    if options.source.list_cameras {
        return list_cameras();
    }
    options.peer()?;
    options.check_rates()?;
    let observe = &options.common.observe;
    let input = options.source.input.as_deref();
    let input = input.filter(|it| *it != Path::new("-"));
    let input = input.map(|it| ("--input", it));
    options.common.check_files(input.as_slice())?;
    let contact = Contact::new(options, options.common.identity()?, console.clone())?;
    let source = options.source.open()?;
    #[cfg(feature = "qlog")]
    let qlog = match &observe.qlog {
        Some(folder) => Some(Qlog::open(folder, "raq-send")?),
        None => None,
    };
    let observers = Observers::start(observe, &console, "raq-send")?;
    let video = source.format();
    let size = video.size().map_err(|e| Failure::new(Exit::Failure, e))?;
    let model = Model::open(&options.common.model_options())?;
    let codebooks = model.codebooks()?;
    let manifest = model.manifest();
    let codebooks = Arc::new(codebooks);
    let temporal = Temporal::load(model.folder(), &codebooks)?;
    let codewords = options.codewords;
    let speed = match options.speed {
        Effort::Fixed(speed) => speed,
        Effort::Auto => Speed::default(),
    };
    let coder: MakeCoder = Box::new(move || {
        let Temporal {
            stages,
            basis,
            tables,
        } = &temporal;
        let mut coder = FrameCoder::new(TileGrid::of(size), stages, basis, tables, speed);
        if let Some(most) = codewords {
            coder.limit_codewords(most);
        }
        coder
    });
    let mut encoder = model.encoder()?;
    encoder.prepare(size)?;
    tracing::debug!(provider = %encoder.provider(), codebooks = %codebooks.digest(), "ready");

    let settings = Settings {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model_id: model.folder().id(),
        model_name: manifest.name.clone(),
        codebooks: codebooks.clone(),
        video,
        max_rate: options.max_rate,
        min_rate: options.min_rate,
        latency: options.latency,
        fec: options.fec,
        estimator: options.estimator,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| {
        Failure::new(
            Exit::Failure,
            format_args!("cannot start: {e}; free memory or handles"),
        )
    })?;
    let provider = encoder.provider().to_string();
    let parts = Parts {
        source,
        limits: options.limits(),
        encoder,
        dim: manifest.latent_dim,
        coder,
        effort: options.speed,
    };
    runtime.block_on(async {
        let interrupts = cli::interrupts()?;
        let clock = Clock::start();
        let sessions = Sessions {
            contact,
            settings,
            clock,
            pipeline: Pipeline::start(parts, clock)?,
            tally: Tally::new(clock, observers),
            number: 0,
            unconfirmed: 0,
            interrupts,
            reconnect: options.reconnects().then(Reconnect::default),
            observe: observe.clone(),
            #[cfg(feature = "qlog")]
            qlog,
            provider,
        };
        sessions.run().await
    })
}

#[cfg(feature = "camera")]
fn list_cameras() -> Result<(), Failure> {
    use std::io::Write as _;

    let text = crate::capture::camera::list()?;
    if text.is_empty() {
        tracing::warn!("no camera found; plug one in, or send with --input or --test-pattern");
    }
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(cli::stdout_failure)
}
