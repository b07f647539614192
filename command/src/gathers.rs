//! `telpher gather`.

use std::io::{ErrorKind, Write};

use serde_json::{Map, json};
use telpher::{Answer, Gathered, Kind, Name};

use crate::arguments::Gather;
use crate::hub::live;
use crate::{Said, message, text};

/// Prints answers as they come, and then who did not answer. All is well if everybody has, or as
/// many as were wanted.
pub fn run(options: &Gather) -> Said {
    let message = message::of(options.body.as_deref(), options.key.as_deref(), &options.headers)?;
    let hub = live(&options.hub, "gather")?;
    let told = |error: telpher::Error| error.to_string();
    let name = options.name.as_str();
    let mut gather = match options.topic {
        false => hub.gather_some(name, message, options.count, options.timeout).map_err(told)?,
        true => {
            let topic = hub.topic(name).map_err(told)?;
            topic.gather_some(message, options.count, options.timeout).map_err(told)?
        }
    };
    let mut out = std::io::stdout().lock();
    for answer in &mut gather {
        let answer = answer.map_err(told)?;
        let line = if options.json { as_json(&answer) } else { shown(&answer) };
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            // Whoever reads no further has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                return Ok((String::new(), true));
            }
            Err(error) => return Err(format!("cannot write: {error}")),
        }
    }
    let end = gather.result().map_err(told)?;
    Ok((String::new(), tell(&end)))
}

/// Says who did not answer; true if that is as it was wanted.
fn tell(end: &Gathered) -> bool {
    let mut is_well = end.failed == 0;
    for missing in &end.missing {
        if missing.error.kind() != Kind::Cancelled {
            is_well = false;
            let who = who(missing.instance, &missing.instance_name);
            eprintln!("telpher: {who} is missing: {}", missing.error);
        }
    }
    let asked = text::count(end.asked() as u64, "instance");
    eprintln!("telpher: {asked} asked, {} answered, {} failed", end.answered, end.failed);
    is_well
}

/// What it calls itself, or its number.
fn who(instance: u64, name: &Option<Name>) -> String {
    name.as_ref().map_or_else(|| instance.to_string(), Name::to_string)
}

fn shown(answer: &Answer) -> String {
    let who = who(answer.instance, &answer.instance_name);
    match &answer.reply {
        Ok(message) => format!("{who}  {}", text::line(&message.body)),
        Err(error) => format!("{who}  {error}"),
    }
}

fn as_json(answer: &Answer) -> String {
    let mut object = Map::new();
    object.insert("instance".to_owned(), json!(answer.instance));
    if let Some(name) = &answer.instance_name {
        object.insert("instance_name".to_owned(), json!(name.as_str()));
    }
    match &answer.reply {
        Ok(message) => message::describe(message, &mut object),
        Err(error) => {
            object.insert("status".to_owned(), json!(error.kind().name()));
            object.insert("code".to_owned(), json!(error.code()));
            object.insert("detail".to_owned(), json!(error.detail()));
        }
    }
    json!(object).to_string()
}
