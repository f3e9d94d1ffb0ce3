//! What a run writes down, and all that summary and report know of it.
//!
//! ```text
//! OUT/run.json                    RunRecord
//! OUT/scenario.toml               the scenario as run
//! OUT/link.csv                    LinkRow, one per 100 ms
//! OUT/<policy>/frames.csv         FrameRow, one per captured frame
//! OUT/<policy>/datagrams.csv      DatagramRow, one per datagram and direction
//! OUT/<policy>/cpu.json           CpuRecord, where a codec ran
//! OUT/<policy>/pictures/*.png     pictures as shown
//! ```
//!
//! Times are whole microseconds since the scenario's start. An empty field does not apply or never
//! happened. Rows come in any order; [`Run::read`] sorts them. The same values give the same bytes.

mod cpu;
mod datagram;
mod fields;
mod frame;
mod link;
mod part;
mod policy;
mod recorder;
mod run;
mod run_record;
mod table;

pub use self::{
    cpu::CpuRecord,
    datagram::{DatagramRow, Direction, Kind, Loss},
    frame::FrameRow,
    link::{BIN, LinkRow},
    policy::{PolicyRecorder, picture_name},
    recorder::{Recorder, folder_name},
    run::{Picture, PolicyRun, Run},
    run_record::{Mode, RunRecord, VERSION},
};
pub(crate) use self::{recorder::save_json, table::cannot_read};
