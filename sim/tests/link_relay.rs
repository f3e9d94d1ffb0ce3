//! The relay between real sockets on this machine.

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use raq_sim::{
    link::{Link, LinkConfig, Outcome},
    record::Direction,
    relay::{Counts, Datagram, Links, Until, relay},
};
use tokio::sync::watch;

fn link(toml: &str) -> Link<Datagram> {
    let config: LinkConfig = toml::from_str(toml).unwrap();
    let capacity = config.capacity(Path::new("")).unwrap();
    Link::new(&config, capacity, 1)
}

fn socket(loopback: &str) -> UdpSocket {
    let socket = UdpSocket::bind((loopback, 0)).unwrap();
    // Only a broken relay makes a test wait for so long.
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2000];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

/// Runs a relay to a server while `test` gets its address, the server, and what the relay notes.
fn with_relay(
    (down, up): (&str, &str),
    loopback: &str,
    test: impl FnOnce(SocketAddr, &UdpSocket, &mpsc::Receiver<(Direction, Outcome<Datagram>)>),
) -> Counts {
    let (listen, server) = (socket(loopback), socket(loopback));
    let (at, to) = (listen.local_addr().unwrap(), server.local_addr().unwrap());
    let links = Links {
        down: link(down),
        up: link(up),
        forgets: None,
    };
    let (stop, stopped) = watch::channel(false);
    let (notes, noted) = mpsc::channel();
    thread::scope(|scope| {
        // Dropped where the test fails, so that the relay ends.
        let stop = stop;
        let relay = scope.spawn(move || {
            let until = Until {
                stop: stopped,
                end: None,
            };
            let note = |direction, outcome: &Outcome<_>| {
                notes.send((direction, outcome.clone())).unwrap();
            };
            relay(&listen, to, links, &until, note)
        });
        test(at, &server, &noted);
        stop.send(true).unwrap();
        relay.join().unwrap().unwrap()
    })
}

#[test]
fn datagrams_go_there_and_back_each_client_by_its_own_way() {
    let fast = "rate = '100Mbit'\ndelay = '2ms'";
    for loopback in ["127.0.0.1", "::1"] {
        let counts = with_relay((fast, fast), loopback, |at, server, _| {
            let clients = [socket(loopback), socket(loopback)];
            let mut ways = Vec::new();
            for (number, client) in clients.iter().enumerate() {
                client.send_to(&[number as u8; 1200], at).unwrap();
                let (payload, from) = receive(server);
                assert_eq!(payload, [number as u8; 1200]);
                ways.push(from);
            }
            assert_ne!(ways[0], ways[1]);
            for (number, (client, way)) in clients.iter().zip(&ways).enumerate().rev() {
                server.send_to(&[10 + number as u8; 3], way).unwrap();
                assert_eq!(receive(client), (vec![10 + number as u8; 3], at));
            }
            clients[0].send_to(b"", at).unwrap();
            assert_eq!(receive(server), (Vec::new(), ways[0]));
        });
        assert_eq!((counts.down.offered, counts.down.delivered), (3, 3));
        assert_eq!((counts.up.offered, counts.up.delivered), (2, 2));
        assert_eq!(counts.down.queueing.len(), 3);
    }
}

#[test]
fn the_links_say_what_is_lost_and_how_long_it_takes() {
    // 1000 bytes and 28 of headers take 100 ms; two of them fit.
    let down = "rate = '82240bit'\ndelay = '20ms'\nqueue = '2 packets'";
    let up = "rate = '1Mbit'\nloss = 1.0";
    let counts = with_relay((down, up), "127.0.0.1", |at, server, noted| {
        let client = socket("127.0.0.1");
        for number in 0..5u8 {
            client.send_to(&[number; 1000], at).unwrap();
        }
        let mut arrived = Vec::new();
        let (mut down, mut up) = (0, 0);
        while down < 5 || up < arrived.len() {
            let (direction, outcome) = noted.recv().unwrap();
            match direction {
                Direction::Down => down += 1,
                Direction::Up => up += 1,
            }
            if let Outcome::Delivered {
                packet,
                offered,
                left,
                arrived: at,
            } = outcome
            {
                assert_eq!(direction, Direction::Down);
                assert_eq!((packet.bytes, packet.payload.client()), (1028, 0));
                assert_eq!(at - left, Duration::from_millis(20));
                assert!(left - offered >= Duration::from_millis(100));
                let (payload, from) = receive(server);
                arrived.push(payload[0]);
                server.send_to(b"lost", from).unwrap();
            }
        }
        assert!(arrived.is_sorted());
    });
    // A slow machine may see them come farther apart.
    assert_eq!(counts.down.delivered + counts.down.lost_queue, 5);
    assert!(counts.down.delivered >= 2);
    assert_eq!(counts.up.lost_random, counts.down.delivered);
    assert_eq!(counts.up.delivered, 0);
}

#[test]
fn it_ends_when_its_time_is_over() {
    let (listen, to) = (
        socket("127.0.0.1"),
        socket("127.0.0.1").local_addr().unwrap(),
    );
    let links = Links {
        down: link("rate = '1Mbit'"),
        up: link("rate = '1Mbit'"),
        forgets: None,
    };
    let (_stop, stopped) = watch::channel(false);
    let until = Until {
        stop: stopped,
        end: Some(Duration::from_millis(1)),
    };
    let counts = relay(&listen, to, links, &until, |_, _| {}).unwrap();
    assert_eq!(counts, Counts::default());
}

#[test]
fn nobody_at_the_other_end_is_no_error() {
    let gone = socket("127.0.0.1").local_addr().unwrap();
    let listen = socket("127.0.0.1");
    let at = listen.local_addr().unwrap();
    let links = Links {
        down: link("rate = '100Mbit'"),
        up: link("rate = '100Mbit'"),
        forgets: None,
    };
    let (stop, stopped) = watch::channel(false);
    let until = Until {
        stop: stopped,
        end: None,
    };
    let client = socket("127.0.0.1");
    let mut seen = 0;
    client.send_to(b"hello", at).unwrap();
    let counts = relay(&listen, gone, links, &until, |_, _| {
        seen += 1;
        if seen < 5 {
            client.send_to(b"hello", at).unwrap();
        } else {
            stop.send(true).unwrap();
        }
    });
    assert_eq!(counts.unwrap().down.delivered, 5);
}

#[test]
fn a_forgetful_relay_gives_clients_other_ports() {
    let fast = "rate = '100Mbit'\ndelay = '1ms'";
    let (listen, server) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let (at, to) = (listen.local_addr().unwrap(), server.local_addr().unwrap());
    let links = Links {
        down: link(fast),
        up: link(fast),
        forgets: Some(Duration::from_millis(20)),
    };
    let (stop, stopped) = watch::channel(false);
    thread::scope(|scope| {
        let stop = stop;
        let relay = scope.spawn(move || {
            let until = Until {
                stop: stopped,
                end: None,
            };
            relay(&listen, to, links, &until, |_, _| {})
        });
        let client = socket("127.0.0.1");
        client.set_nonblocking(true).unwrap();
        let (mut ports, mut answers) = (Vec::new(), 0);
        // An answer to a port that was just given up is lost.
        while ports.len() < 3 || answers < 3 {
            client.send_to(b"there", at).unwrap();
            let (_, from) = receive(&server);
            if !ports.contains(&from.port()) {
                ports.push(from.port());
            }
            server.send_to(b"back", from).unwrap();
            answers += usize::from(client.recv(&mut [0; 9]).is_ok());
        }
        stop.send(true).unwrap();
        relay.join().unwrap().unwrap();
    });
}
