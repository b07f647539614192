//! What a URL names.
//!
//! Floor: imports nothing of the runtime.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use telpher_proto::base::{Error, Kind, Name};

const ALLOWED: &str = "mem://name, ./directory, /directory, file:///directory, unix:///path \
                       and tcp://host:port";

/// Where a hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// In this process.
    Memory(String),
    /// Shared by the processes of this machine that open this directory.
    Directory(PathBuf),
    /// Served at a Unix socket.
    Unix(PathBuf),
    /// Served across the network; `localhost` stands for both loopback addresses.
    Tcp(Vec<SocketAddr>),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// `INVALID` with what is wrong and what is allowed; `UNSUPPORTED` for what a later version
    /// will know.
    pub(crate) fn parse(url: &str) -> Result<Address, Error> {
        if url.contains('\0') {
            return Err(Error::new(Kind::Invalid, format!("the URL {url:?} has a zero byte")));
        }
        let Some((scheme, rest)) = url.split_once("://") else { return directory(url) };
        match scheme {
            "mem" => match Name::parse(rest) {
                Ok(name) => Ok(Address::Memory(name.as_str().to_owned())),
                Err(error) => Err(Error::new(error.kind(), format!("{url:?}: {}", error.detail()))),
            },
            "file" => path(url, rest).map(Address::Directory),
            "unix" => path(url, rest).map(Address::Unix),
            "tcp" => tcp(url, rest).map(Address::Tcp),
            "tls" | "nats" | "kafka" | "amqp" => {
                let detail = format!("{scheme}:// is not supported by this version (in {url:?})");
                Err(Error::new(Kind::Unsupported, detail))
            }
            _ => Err(invalid(url, &format!("unknown scheme {scheme:?}; allowed are {ALLOWED}"))),
        }
    }

    /// True if only this machine can reach it.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Address::Tcp(addresses) => addresses.iter().all(|address| address.ip().is_loopback()),
            _ => true,
        }
    }
}

fn invalid(url: &str, what: &str) -> Error {
    Error::new(Kind::Invalid, format!("the URL {url:?} is wrong: {what}"))
}

fn directory(url: &str) -> Result<Address, Error> {
    let looks = url.starts_with('.') || url.starts_with('/') || url.ends_with('/');
    if !looks {
        return Err(invalid(url, &format!("it names no hub; allowed are {ALLOWED}")));
    }
    Ok(Address::Directory(PathBuf::from(url)))
}

fn path(url: &str, rest: &str) -> Result<PathBuf, Error> {
    if !rest.starts_with('/') || rest == "/" {
        return Err(invalid(url, "an absolute path follows the two slashes"));
    }
    Ok(PathBuf::from(rest))
}

fn tcp(url: &str, rest: &str) -> Result<Vec<SocketAddr>, Error> {
    let Some((host, port)) = rest.rsplit_once(':') else {
        return Err(invalid(url, "a port is missing: tcp://host:port"));
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let Some(port) = port.parse::<u16>().ok().filter(|_| digits) else {
        return Err(invalid(url, &format!("the port is {port:?}; allowed are 0 to 65535")));
    };
    let hosts = hosts(host)
        .ok_or_else(|| invalid(url, "the host is an IP address (IPv6 in brackets) or localhost"))?;
    Ok(hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect())
}

fn hosts(host: &str) -> Option<Vec<IpAddr>> {
    if host == "localhost" {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if let Some(inner) = host.strip_prefix('[') {
        return Some(vec![inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into()]);
    }
    Some(vec![host.parse::<Ipv4Addr>().ok()?.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_url_names_its_hub() {
        let parse = |url| Address::parse(url).unwrap();
        assert_eq!(parse("mem://a.b"), Address::Memory("a.b".into()));
        assert_eq!(parse("./data"), Address::Directory("./data".into()));
        assert_eq!(parse("data/"), Address::Directory("data/".into()));
        assert_eq!(parse("file:///var/x"), Address::Directory("/var/x".into()));
        assert_eq!(parse("unix:///run/x"), Address::Unix("/run/x".into()));
        assert_eq!(
            parse("tcp://127.0.0.1:80"),
            Address::Tcp(vec!["127.0.0.1:80".parse().unwrap()])
        );
        assert_eq!(parse("tcp://[::1]:80"), Address::Tcp(vec!["[::1]:80".parse().unwrap()]));
        assert!(matches!(parse("tcp://localhost:1"), Address::Tcp(both) if both.len() == 2));
    }

    #[test]
    fn a_wrong_url_is_refused_and_says_why() {
        let wrong = [
            ("", "allowed are"),
            ("data", "allowed are"),
            ("http://x", "\"http\""),
            ("mem://", "empty"),
            ("mem://a/b", "'/'"),
            ("unix://relative", "absolute"),
            ("file://relative", "absolute"),
            ("tcp://127.0.0.1", "port"),
            ("tcp://127.0.0.1:66000", "65535"),
            ("tcp://127.0.0.1:+1", "65535"),
            ("tcp://example.org:1", "localhost"),
            ("tcp://::1:1", "brackets"),
        ];
        for (url, part) in wrong {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{url}");
            assert!(error.detail().contains(part), "{url}: {error}");
        }
        for url in ["tls://a:1", "nats://a", "kafka://a", "amqp://a"] {
            assert_eq!(Address::parse(url).unwrap_err().kind(), Kind::Unsupported, "{url}");
        }
    }

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        assert!(Address::parse("tcp://localhost:1").unwrap().is_loopback());
        assert!(!Address::parse("tcp://0.0.0.0:1").unwrap().is_loopback());
        assert!(!Address::parse("tcp://[::]:1").unwrap().is_loopback());
    }
}
