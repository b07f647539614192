//! Connections that break, and peers that misbehave.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use support::*;
use telpher::*;

/// A hub that listens at a TCP port, on threads of its own.
fn served(session_grace: Option<Duration>) -> (Hub, u16) {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = OpenOptions {
            listen: vec![format!("tcp://127.0.0.1:{port}")],
            session_grace,
            ..OpenOptions::default()
        };
        // Another test may have taken the port meanwhile.
        if let Ok(hub) = telpher::sugar::open_with(&format!("mem://{}", unique("served")), options)
        {
            return (hub, port);
        }
    }
}

/// Passes connections on to `port`, one at a time, and cuts the present one at each word.
struct Proxy {
    port: u16,
    cut: Sender<()>,
}

impl Proxy {
    fn new(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cut, cuts) = channel();
        std::thread::spawn(move || Proxy::run(&listener, port, &cuts));
        Proxy { port: own, cut }
    }

    fn run(listener: &TcpListener, port: u16, cuts: &Receiver<()>) {
        while let Ok((near, _)) = listener.accept() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far.try_clone().unwrap(), near.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
            let word = cuts.recv();
            let _ = near.shutdown(Shutdown::Both);
            let _ = far.shutdown(Shutdown::Both);
            if word.is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_session_resumes_after_its_connection_was_cut() {
    let (server, port) = served(None);
    let proxy = Proxy::new(port);
    let client = reach_noticed(&format!("tcp://127.0.0.1:{}", proxy.port), Drive::Library, 1);
    let queue = client.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    let sends = 300;
    let service = client.serve("echo", 1).unwrap();
    queue.send("first").unwrap();
    let job = queue.receive(PATIENCE).unwrap();
    for round in 0..3 {
        let pending: Vec<_> =
            (0..sends / 3).map(|_| queue.start_send(format!("{round}")).unwrap()).collect();
        proxy.cut.send(()).unwrap();
        for send in pending {
            send.wait().unwrap();
        }
        poll_until(&client, |event| {
            matches!(event.what, What::Notice(Notice::Resumed)).then_some(())
        });
    }
    // What was held is still held, each message is there once, and the service is served.
    job.acknowledge().unwrap();
    assert_eq!(server.queue("jobs").unwrap().inspect().unwrap().ready, sends);
    let caller = server.clone();
    let call = std::thread::spawn(move || caller.call("echo", "still", PATIENCE));
    service.receive(PATIENCE).unwrap().unwrap().reply("there").unwrap();
    assert_eq!(&call.join().unwrap().unwrap().body[..], b"there");
}

#[test]
fn what_a_remote_program_held_goes_back_when_the_grace_time_is_over() {
    let (server, port) = served(Some(Duration::from_millis(20)));
    let proxy = Proxy::new(port);
    let client = reach_noticed(&format!("tcp://127.0.0.1:{}", proxy.port), Drive::Library, 1);
    let queue = client.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    queue.send("x").unwrap();
    let job = queue.receive(PATIENCE).unwrap();
    let Proxy { cut, .. } = proxy;
    // With the proxy gone nothing leads back to the hub.
    drop(cut);
    let again = server.queue("jobs").unwrap().receive(PATIENCE).unwrap();
    assert!(again.delivery().redelivered);
    again.acknowledge().unwrap();
    drop((client, job));
}

/// Reads until the other side closes; panics if it does not.
fn read_to_end(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Ok(_) => {}
            Err(error) => panic!("the hub keeps the connection: {error}"),
        }
    }
}

#[test]
fn a_peer_that_sends_garbage_is_cut_off_and_the_others_go_on() {
    let (server, port) = served(None);
    let client = reach(&format!("tcp://127.0.0.1:{port}"), Drive::Library);
    let _service = serve_on_thread(&server, "echo", 4);
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        // A length of almost 4 GiB.
        &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0],
        // A length of nothing.
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[0xaa; 100_000],
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // The hub may have closed before everything was sent.
        let _ = stream.write_all(bytes);
        read_to_end(&mut stream);
        assert_eq!(&client.call("echo", "on", PATIENCE).unwrap().body[..], b"on");
    }
}

#[test]
fn a_peer_that_sends_half_a_frame_or_nothing_is_cut_off_after_a_time() {
    let (server, port) = served(None);
    let _service = serve_on_thread(&server, "echo", 4);
    let client = reach(&format!("tcp://127.0.0.1:{port}"), Drive::Caller);
    let mut slow: Vec<_> =
        (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    slow[0].write_all(&[40]).unwrap();
    slow[1].write_all(&[40, 0, 0, 0]).unwrap();
    assert_eq!(&client.call("echo", "on", PATIENCE).unwrap().body[..], b"on");
    slow.iter_mut().for_each(read_to_end);
    assert_eq!(&client.call("echo", "on", PATIENCE).unwrap().body[..], b"on");
}

#[test]
fn a_peer_that_talks_garbage_to_a_program_does_not_harm_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").unwrap();
        read_to_end(&mut stream);
    });
    let soon = Timeout::After(Duration::from_secs(1));
    let options = OpenOptions { timeout: soon, ..OpenOptions::default() };
    let url = format!("tcp://127.0.0.1:{port}");
    let error = telpher::sugar::open_with(&url, options).unwrap_err();
    assert!(matches!(error.kind(), Kind::NoHost | Kind::HostUnresponsive), "{error}");
    thread.join().unwrap();
}

#[test]
fn large_messages_go_through_every_kind_of_link() {
    let (server, port) = served(None);
    let _service = serve_on_thread(&server, "echo", 4);
    let tcp = reach(&format!("tcp://127.0.0.1:{port}"), Drive::Caller);
    for size in [0, 1, 4_095, 70_000, 1_500_000, limits::BODY_SIZE_MAX] {
        let body: Vec<u8> = (0..size).map(|at| at as u8).collect();
        for hub in [&server, &tcp] {
            let reply = hub.call("echo", body.clone(), PATIENCE).unwrap();
            assert!(reply.body[..] == body[..], "{size} bytes came back changed");
        }
    }
}

#[test]
fn a_reader_that_does_not_keep_up_harms_nobody_else() {
    let (server, port) = served(None);
    let queue = server.queue("jobs").unwrap();
    queue.declare(memory()).unwrap();
    let url = format!("tcp://127.0.0.1:{port}");
    // It asks for more than its connection holds, and then never looks.
    let lazy = reach(&url, Drive::Caller);
    let consume = Command::Consume { queue: name("jobs"), prefetch: 1_000, ack_deadline_ms: 0 };
    lazy.start(consume, Timeout::Never, Done::Event(1)).unwrap();
    lazy.flush().unwrap();
    for _ in 0..200 {
        queue.send(vec![7; 100_000]).unwrap();
    }
    let _service = serve_on_thread(&server, "echo", 4);
    let busy = reach(&url, Drive::Caller);
    assert_eq!(&busy.call("echo", "on", PATIENCE).unwrap().body[..], b"on");
    let mut seen = 0;
    let mut events = Vec::new();
    while seen < 200 {
        lazy.poll(&mut events, 64, PATIENCE).unwrap();
        seen += events.iter().filter(|event| matches!(event.what, What::Delivery(_))).count();
        events.clear();
    }
}
