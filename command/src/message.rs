//! A message as the command line states it, and as JSON.

use std::io::Read;

use serde_json::{Map, Value, json};
use telpher::{Bytes, HeadersBuilder, Message, Properties};

use crate::text;

/// A message of what was stated; a body that was not is read from stdin.
pub fn of(
    body: Option<&str>,
    key: Option<&str>,
    headers: &[(String, String)],
) -> Result<Message, String> {
    let properties = properties(key, headers)?;
    let body = match body {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let mut body = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut body);
            read.map_err(|error| format!("cannot read the body from stdin: {error}"))?;
            body
        }
    };
    Ok(with(body, properties))
}

/// What a message has beside its body.
pub fn properties(key: Option<&str>, headers: &[(String, String)]) -> Result<Properties, String> {
    let mut built = HeadersBuilder::default();
    for (name, value) in headers {
        built.push(name, value.as_bytes()).map_err(|error| error.to_string())?;
    }
    let key = Bytes::copy_from_slice(key.unwrap_or_default().as_bytes());
    Ok(Properties { key, headers: built.build(), ..Properties::default() })
}

/// A message of both.
pub fn with(body: Vec<u8>, properties: Properties) -> Message {
    let mut message = Message::new(body);
    if properties != Properties::default() {
        message.properties = Some(properties.into());
    }
    message
}

/// Adds what a message consists of.
pub fn describe(message: &Message, object: &mut Map<String, Value>) {
    let properties = message.properties.clone().unwrap_or_default();
    object.insert("priority".to_owned(), json!(properties.priority));
    if properties.timestamp_ms > 0 {
        object.insert("timestamp_ms".to_owned(), json!(properties.timestamp_ms));
    }
    if !properties.key.is_empty() {
        put(object, "key", &properties.key);
    }
    let headers = properties.headers.iter().map(|(name, value)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(name));
        put(&mut header, "value", value);
        Value::Object(header)
    });
    object.insert("headers".to_owned(), headers.collect());
    object.insert("size".to_owned(), json!(message.body.len()));
    put(object, "body", &message.body);
}

/// Bytes under `name` if they are text, under `name_hex` if they are not.
fn put(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{name}_hex"), json!(text::hex(bytes))),
    };
}
