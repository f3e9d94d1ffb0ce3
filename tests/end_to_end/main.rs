//! The real programs, as processes, over loopback. Nothing here depends on how fast the machine
//! is: what is asserted holds for however many frames made it.

mod bad_input;
mod cli;
mod endurance;
mod inputs;
mod loopback;
mod pairing;
mod recording;
mod refusal;
mod service;
mod several;
mod signals;
mod sizes;
mod trust;
mod watching;
mod web;
mod window;
