//! The line that somebody types on another machine to be let in, and the same as a QR code.

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use fast_qr::{ECL, QRBuilder, QRCode};
use raq_shared::identity::Ticket;
use rustix::termios::tcgetwinsize;

/// Light modules around a QR code. Four are prescribed, two are enough for telephones.
const MARGIN: usize = 2;
/// Lines that stand around it.
const TEXT_LINES: usize = 8;

/// How to send to the receiver that listens on `address`, with the picture where standard error has
/// room for it.
pub(crate) fn text(address: SocketAddr, ticket: &Ticket, lifetime: Duration) -> String {
    let line = line(reachable(address), ticket);
    let lasts = match lifetime.as_secs() {
        0..=119 => format!("{lifetime:.0?}"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    };
    let mut text = format!(
        "To send from another machine, run this there, once and within {lasts}:\n\n  {line}\n\n"
    );
    let size = io::stderr()
        .is_terminal()
        .then(|| tcgetwinsize(io::stderr()).ok())
        .flatten();
    if let Some(size) = size
        && let Ok(code) = QRBuilder::new(line).ecl(ECL::L).build()
    {
        let picture = picture(&code);
        let fits = picture.len() + TEXT_LINES <= size.ws_row.into()
            && code.size + 2 * MARGIN <= size.ws_col.into();
        if fits {
            for row in picture {
                // White on black, whatever colours the terminal has.
                text.push_str(&format!("\x1b[97;40m{row}\x1b[0m\n"));
            }
        }
    }
    text
}

fn line(address: SocketAddr, ticket: &Ticket) -> String {
    format!("raq-send --camera 0 --peer {address} --ticket {ticket}")
}

/// Where others reach this machine, as far as it knows: behind a router they need another address.
fn reachable(listening: SocketAddr) -> SocketAddr {
    if !listening.ip().is_unspecified() {
        return listening;
    }
    // Nothing is sent: the system only says which address it would send from. These addresses are for
    // documentation (RFC 5737, RFC 3849).
    let ways = [
        (
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
        ),
        (
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
            IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        ),
    ];
    let own = ways.into_iter().find_map(|(any, far)| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((far, 9)).ok()?;
        let own = socket.local_addr().ok()?.ip();
        (!own.is_unspecified()).then_some(own)
    });
    let own = own.unwrap_or_else(|| Ipv4Addr::LOCALHOST.into());
    SocketAddr::new(own, listening.port())
}

/// The code in lines of half blocks: two modules above each other in a character, light ones drawn.
fn picture(code: &QRCode) -> Vec<String> {
    let side = code.size + 2 * MARGIN;
    let light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|&at| at < code.size);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => !code[y][x].value(),
            _ => y < side,
        }
    };
    (0..side)
        .step_by(2)
        .map(|y| {
            let column = |x| match (light(x, y), light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            };
            (0..side).map(column).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use raq_shared::identity::Identity;

    use super::*;

    #[test]
    fn the_line_fits_a_terminal_as_a_picture() {
        let ticket = Ticket::new(Identity::ephemeral().unwrap().id(), 0).unwrap();
        let line = line("[2001:db8::1]:4433".parse().unwrap(), &ticket);
        assert!(line.starts_with("raq-send --camera 0 --peer [2001:db8::1]:4433 --ticket raqt1"));
        let code = QRBuilder::new(line).ecl(ECL::L).build().unwrap();
        let picture = picture(&code);
        assert!(picture.len() <= 30, "{} lines", picture.len());
        let width = code.size + 2 * MARGIN;
        assert!(picture.iter().all(|row| row.chars().count() == width));
        // The margin, then the first finder: seven dark modules, of which the second row has two.
        assert!(picture[0].chars().all(|c| c == '█'));
        let finder: String = picture[1].chars().skip(MARGIN).take(8).collect();
        assert_eq!(finder, " ▄▄▄▄▄ █");
    }

    #[test]
    fn an_address_is_named_that_others_may_reach() {
        let one = "192.0.2.7:9".parse().unwrap();
        assert_eq!(reachable(one), one);
        let any = reachable("[::]:4433".parse().unwrap());
        assert!(!any.ip().is_unspecified() && any.port() == 4433, "{any}");
    }
}
