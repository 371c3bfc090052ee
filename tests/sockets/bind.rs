//! Which addresses are taken, and which are refused.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use gazetteer::serve::{ServeError, bind};

use crate::fixture::{Service, ask_tcp, ask_udp, listen, said, say, tcp, udp};

#[test]
fn port_0_takes_one_port_for_both_protocols() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0", "[::1]:0"]));
    let addresses = service.serving.addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert_ne!(address.port(), 0);
        let client = udp(address.ip());
        assert_eq!(ask_udp(&client, address, &say(1, "a")), said(1, "a"));
        assert_eq!(ask_tcp(&mut tcp(address), &say(2, "b")), said(2, "b"));
    }
}

/// Binds `second` while `first` is served; its port 0 stands for the port of `first`.
fn bind_beside(first: &str, second: &str) -> Result<(), ServeError> {
    let held = bind(&listen(&[first])).unwrap();
    let mut second: SocketAddr = second.parse().unwrap();
    second.set_port(held.addresses()[0].port());
    bind(&listen(&[&second.to_string()])).map(|_| ())
}

#[test]
fn an_address_that_is_served_is_refused() {
    for (first, second) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.1:0"),
        ("127.0.0.1:0", "0.0.0.0:0"),
        ("[::]:0", "[::1]:0"),
        ("[::1]:0", "[::]:0"),
    ] {
        let refused = bind_beside(first, second);
        assert!(
            matches!(
                refused,
                Err(ServeError::InUse {
                    protocol: "UDP",
                    ..
                })
            ),
            "{first} {second}: {refused:?}"
        );
    }
}

#[test]
fn addresses_that_do_not_overlap_are_bound() {
    for (first, second) in [
        ("127.0.0.1:0", "127.0.0.2:0"),
        ("127.0.0.1:0", "[::1]:0"),
        ("0.0.0.0:0", "[::]:0"),
        ("[::]:0", "0.0.0.0:0"),
    ] {
        // Another test may hold the same port of the second address: then another port will do.
        let bound = (0..50).any(|_| bind_beside(first, second).is_ok());
        assert!(bound, "{first} {second}");
    }
}

#[test]
fn an_address_that_another_program_shares_is_refused() {
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    other.set_reuse_port(true).unwrap();
    other.set_reuse_address(true).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    other.bind(&any.into()).unwrap();
    let other = UdpSocket::from(other);
    let refused = bind(&listen(&[&other.local_addr().unwrap().to_string()]));
    assert!(matches!(refused, Err(ServeError::InUse { .. })));
}

#[test]
fn an_address_with_a_tcp_listener_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = bind(&listen(&[&other.local_addr().unwrap().to_string()]));
    assert!(matches!(
        refused,
        Err(ServeError::InUse {
            protocol: "TCP",
            ..
        })
    ));
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let refused = bind(&listen(&["192.0.2.1:0"]));
    assert!(matches!(
        refused,
        Err(ServeError::Bind {
            protocol: "UDP",
            ..
        })
    ));
}

#[test]
fn an_address_is_free_after_the_end() {
    let service = Service::stand_in(&listen(&["127.0.0.1:0"]));
    let address = service.address();
    let mut open = tcp(address);
    assert_eq!(ask_tcp(&mut open, &say(1, "a")), said(1, "a"));
    service.runtime.block_on(service.serving.shutdown());
    let again = Service::stand_in(&listen(&[&address.to_string()]));
    assert_eq!(again.address(), address);
}
