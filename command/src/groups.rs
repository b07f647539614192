//! `telpher groups`, `reset-group` and `delete-group`.

use serde_json::{Value, json};
use telpher::{Command, Error, GroupInfo, Hub, Kind, Name, Outcome, offline};

use crate::Said;
use crate::arguments_streams::{OneGroup, OneStream, ResetGroup, Streams};
use crate::hub::{Reached, ask, explain, live, reach, unexpected};
use crate::streams;
use crate::text::{self, number};

/// Streams, each with its groups.
type Groups = Vec<(Name, Vec<GroupInfo>)>;

/// Lists reader groups: of every stream, or of one with each of its partitions.
pub fn list(options: &Streams) -> Said {
    let found = reach(&options.hub)
        .and_then(|reached| match (reached, &options.stream) {
            (Reached::Live(hub), None) => every(&hub),
            (Reached::Live(hub), Some(stream)) => {
                Ok(vec![(stream.clone(), of_stream(&hub, stream)?)])
            }
            (Reached::Directory(path), None) => offline::groups(&path),
            (Reached::Directory(path), Some(stream)) => {
                let mut all = offline::groups(&path)?.into_iter();
                let one = all.find(|(name, _)| name == stream);
                one.map(|one| vec![one]).ok_or_else(|| streams::not_found(stream))
            }
        })
        .map_err(|error| explain(&error, &options.hub))?;
    let is_empty = found.iter().all(|(_, groups)| groups.is_empty());
    let text = match (options.json, &options.stream) {
        (true, _) => format!("{:#}\n", as_json(&found)),
        (false, Some(stream)) if is_empty => format!("The stream {stream} has no reader groups.\n"),
        (false, None) if is_empty => "There are no reader groups.\n".to_owned(),
        (false, Some(_)) => places(&found),
        (false, None) => table(&found),
    };
    Ok((text, true))
}

/// Those of every stream of a hub that is hosted.
fn every(hub: &Hub) -> Result<Groups, Error> {
    let mut found = Vec::new();
    for (stream, _) in streams::every(hub)? {
        match of_stream(hub, &stream) {
            Ok(groups) => found.push((stream, groups)),
            // It was deleted meanwhile.
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Those of one stream.
pub fn of_stream(hub: &Hub, stream: &Name) -> Result<Vec<GroupInfo>, Error> {
    match ask(hub, Command::Groups { stream: stream.clone() })? {
        Outcome::Groups(groups) => Ok(groups),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

fn lag(group: &GroupInfo) -> u64 {
    group.places.iter().map(|place| place.lag).sum()
}

fn table(found: &Groups) -> String {
    let mut rows = vec![["STREAM", "GROUP", "MEMBERS", "LAG"].map(str::to_owned).to_vec()];
    for (stream, groups) in found {
        rows.extend(groups.iter().map(|group| {
            vec![
                stream.as_str().to_owned(),
                group.name.as_str().to_owned(),
                number(group.members.into()),
                number(lag(group)),
            ]
        }));
    }
    text::table_of(2, &rows, text::width())
}

/// Each group's place in each partition.
fn places(found: &Groups) -> String {
    let mut rows =
        vec![["GROUP", "MEMBERS", "PARTITION", "NEXT", "LAG", "READ"].map(str::to_owned).to_vec()];
    for group in found.iter().flat_map(|(_, groups)| groups) {
        rows.extend(group.places.iter().zip(0..).map(|(place, at): (_, u64)| {
            vec![
                group.name.as_str().to_owned(),
                number(group.members.into()),
                number(at),
                place.next.to_string(),
                number(place.lag),
                if place.is_read { "yes" } else { "no" }.to_owned(),
            ]
        }));
    }
    text::table(&rows, text::width())
}

fn as_json(found: &Groups) -> Value {
    let described = |stream: &Name, group: &GroupInfo| {
        let places = group
            .places
            .iter()
            .map(|place| json!({ "next": place.next, "lag": place.lag, "is_read": place.is_read }));
        json!({
            "stream": stream.as_str(),
            "group": group.name.as_str(),
            "members": group.members,
            "lag": lag(group),
            "partitions": places.collect::<Vec<_>>(),
        })
    };
    let groups = found
        .iter()
        .flat_map(|(stream, groups)| groups.iter().map(move |group| described(stream, group)));
    json!({ "groups": groups.collect::<Vec<_>>() })
}

/// Puts a group to another place.
pub fn reset(options: &ResetGroup) -> Said {
    let ResetGroup { which, to: start, partition } = options;
    let OneGroup { of: OneStream { hub, stream }, group } = which;
    let live = live(hub, "reset-group")?;
    let (stream, group, partition) = (stream.clone(), group.clone(), *partition);
    let command = Command::ResetGroup { stream, group, partition, start: *start };
    ask(&live, command).map_err(|error| explain(&error, hub))?;
    Ok((String::new(), true))
}

/// Removes a group.
pub fn delete(options: &OneGroup) -> Said {
    let OneGroup { of: OneStream { hub, stream }, group } = options;
    let live = live(hub, "delete-group")?;
    let command = Command::DeleteGroup { stream: stream.clone(), group: group.clone() };
    ask(&live, command).map_err(|error| explain(&error, hub))?;
    Ok((String::new(), true))
}
