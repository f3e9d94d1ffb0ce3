//! placeholder until the link branch brings it
use std::time::Duration;
#[derive(Debug)]
pub struct Cubic { window: u64 }
impl Cubic {
    pub fn new(window: u64, _mtu: u64) -> Self { Self { window } }
    pub fn window(&self) -> u64 { self.window }
    pub fn on_ack(&mut self, _now: Duration, _sent: Duration, bytes: u64, app: bool, _rtt: Duration) { if !app { self.window += bytes } }
    pub fn on_loss(&mut self, _now: Duration, _sent: Duration) { self.window = (self.window * 7 / 10).max(2400) }
    pub fn on_persistent_congestion(&mut self) { self.window = 2400 }
}
