//! `telpher topics`, `declare-topic` and `delete-topic`.

use serde_json::{Value, json};
use telpher::{
    Command, Error, Hub, Kind, Outcome, Pattern, TopicInfo, TopicOptions, TopicOverflow, offline,
};

use crate::Said;
use crate::arguments_topics::{DeclareTopic, OneTopic, Topics};
use crate::hub::{Reached, ask, explain, live, reach, unexpected};
use crate::text::{self, count, number};

/// Lists declarations, or shows one of them.
pub fn list(options: &Topics) -> Said {
    match &options.pattern {
        Some(pattern) => one(options, pattern),
        None => all(options),
    }
}

fn all(options: &Topics) -> Said {
    let topics = reach(&options.hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => every(&hub),
            Reached::Directory(path) => offline::topics(&path),
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let text = match options.json {
        true => {
            let topics: Vec<Value> = topics.iter().map(|(of, info)| as_json(of, info)).collect();
            format!("{:#}\n", json!({ "topics": topics }))
        }
        false if topics.is_empty() => "No topics are declared.\n".to_owned(),
        false => table(&topics),
    };
    Ok((text, true))
}

/// Every declaration of a hub that is hosted.
fn every(hub: &Hub) -> Result<Vec<(Pattern, TopicInfo)>, Error> {
    let mut topics: Vec<(Pattern, TopicInfo)> = Vec::new();
    loop {
        let after = topics.last().map(|(pattern, _)| pattern.clone());
        match ask(hub, Command::ListTopics { after })? {
            Outcome::Topics(more) if more.is_empty() => return Ok(topics),
            Outcome::Topics(more) => topics.extend(more),
            other => return Err(unexpected(&format!("{other:?}"))),
        }
    }
}

fn one(options: &Topics, pattern: &Pattern) -> Said {
    let info = reach(&options.hub)
        .and_then(|reached| match reached {
            Reached::Live(hub) => {
                match ask(&hub, Command::InspectTopic { pattern: pattern.clone() })? {
                    Outcome::Topic(info) => Ok(info),
                    other => Err(unexpected(&format!("{other:?}"))),
                }
            }
            Reached::Directory(path) => offline::topics(&path)?
                .into_iter()
                .find_map(|(of, info)| (of == *pattern).then_some(info))
                .ok_or_else(|| not_found(pattern)),
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let text = match options.json {
        true => format!("{:#}\n", as_json(pattern, &info)),
        false => described(pattern, &info),
    };
    Ok((text, true))
}

fn not_found(pattern: &Pattern) -> Error {
    Error::new(Kind::NotFound, format!("the topics {pattern:?} are not declared"))
}

fn table(topics: &[(Pattern, TopicInfo)]) -> String {
    let mut rows = vec![["TOPICS", "OVERFLOW", "WAITING", "AT MOST"].map(str::to_owned).to_vec()];
    rows.extend(topics.iter().map(|(pattern, info)| {
        let most = match info.overflow {
            TopicOverflow::Drop => String::new(),
            TopicOverflow::Wait => number(info.line_max.into()),
        };
        let overflow = info.overflow.name().to_owned();
        vec![pattern.as_str().to_owned(), overflow, number(info.waiting), most]
    }));
    text::table(&rows, text::width())
}

fn described(pattern: &Pattern, info: &TopicInfo) -> String {
    let mut rows = vec![("topics", pattern.as_str().to_owned())];
    match info.overflow {
        TopicOverflow::Drop => {
            rows.push(("overflow", "drop: slow subscribers lose their oldest messages".to_owned()));
        }
        TopicOverflow::Wait => {
            rows.push(("overflow", "wait: publishers wait for slow subscribers".to_owned()));
            let most = number(info.line_max.into());
            let waiting = count(info.waiting, "message");
            rows.push(("waiting", format!("{waiting}, at most {most}")));
        }
    }
    text::list(&rows)
}

fn as_json(pattern: &Pattern, info: &TopicInfo) -> Value {
    json!({
        "topics": pattern.as_str(),
        "overflow": info.overflow.name(),
        "line_max": info.line_max,
        "waiting": info.waiting,
    })
}

/// Declares topics.
pub fn declare(options: &DeclareTopic) -> Said {
    let OneTopic { hub, pattern } = &options.of;
    let stated =
        TopicOptions { overflow: options.overflow.into(), line_max: options.line_max.unwrap_or(0) };
    let live = live(hub, "declare-topic")?;
    let command = Command::DeclareTopic { pattern: pattern.clone(), options: stated };
    ask(&live, command).map_err(|error| error.to_string())?;
    Ok((String::new(), true))
}

/// Removes a declaration.
pub fn delete(options: &OneTopic) -> Said {
    let OneTopic { hub, pattern } = options;
    let live = live(hub, "delete-topic")?;
    let command = Command::DeleteTopic { pattern: pattern.clone() };
    ask(&live, command).map_err(|error| explain(&error, hub))?;
    Ok((String::new(), true))
}
