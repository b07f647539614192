//! A message as JSON.

use serde_json::{Map, Value, json};
use telpher::Message;

use crate::text;

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
