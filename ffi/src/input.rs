//! What C gives: structs that state their size, texts, names, messages.
//!
//! Everything is copied before the function returns, but for a body that is handed over: that one
//! is owned from the moment it is seen, so that its release runs on every way out.
//!
//! Floor: `types`, `constants`.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::mem::{MaybeUninit, offset_of};
use std::{ptr, slice};

use telpher::{
    Bytes, Compression, Durability, Error, HeadersBuilder, Kind, Message, Name, Pattern, Trace,
    limits,
};

use crate::constants::*;
use crate::types::*;

/// Largest struct that any version of the interface may have, in bytes: what a wrong size is known
/// by.
const STRUCT_SIZE_MAX: usize = 4_096;

/// A struct that C fills in, starting with its size.
///
/// # Safety
///
/// `#[repr(C)]`, first field `size: usize`, and any bytes are a valid value.
pub unsafe trait Struct: Copy {
    /// As the header spells it.
    const NAME: &'static str;
}

macro_rules! sized {
    ($($name:ident)+) => {
        // SAFETY: each is made of integers, pointers and nullable functions only.
        $(unsafe impl Struct for $name { const NAME: &'static str = stringify!($name); })+
    };
}

sized! {
    telpher_done telpher_message telpher_open_options telpher_call_options telpher_serve_options
    telpher_failure telpher_declare_options telpher_send_options telpher_receive_options
    telpher_consume_options telpher_settle_options telpher_batch_options
    telpher_publish_options telpher_subscribe_options telpher_gather_options
    telpher_stream_options telpher_append_options telpher_read_options
    telpher_group_reset_options telpher_topic_options
}

/// The error of a wrong argument.
pub fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, detail)
}

/// Checks the size that a struct states.
pub fn check_size(name: &str, given: usize) -> Result<(), Error> {
    if (size_of::<usize>()..=STRUCT_SIZE_MAX).contains(&given) {
        return Ok(());
    }
    Err(invalid(format!("the size in a {name} is {given}; it must be sizeof({name})")))
}

/// Copies a struct as far as its writer knew it; NULL and what it did not know are zero. What a
/// later version added must be zero too, as it would be ignored here.
#[inline]
pub unsafe fn options<T: Struct>(pointer: *const T) -> Result<T, Error> {
    // SAFETY: a pointer that is not NULL is valid, and the struct starts with its size.
    let given = (!pointer.is_null()).then(|| unsafe { pointer.cast::<usize>().read_unaligned() });
    if given == Some(size_of::<T>()) {
        // SAFETY: the struct has as many bytes as it states.
        return Ok(unsafe { pointer.read_unaligned() });
    }
    let mut value = MaybeUninit::<T>::zeroed();
    if let Some(given) = given {
        let into = value.as_mut_ptr().cast();
        // SAFETY: as above; and `value` is one of these structs.
        unsafe { copy_known(T::NAME, (pointer.cast(), given), (into, size_of::<T>())) }?;
    }
    // SAFETY: any bytes are a valid value, zeros included.
    Ok(unsafe { value.assume_init() })
}

/// Copies what both know of a struct, each with its own size of it.
unsafe fn copy_known(
    name: &str,
    (from, given): (*const u8, usize),
    (into, known): (*mut u8, usize),
) -> Result<(), Error> {
    check_size(name, given)?;
    // SAFETY: both have as many bytes as they state.
    unsafe { ptr::copy_nonoverlapping(from, into, known.min(given)) };
    if given <= known {
        return Ok(());
    }
    // SAFETY: as above.
    let newer = unsafe { slice::from_raw_parts(from.add(known), given - known) };
    match newer.iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(at) => Err(invalid(format!(
            "a {name} sets an option at byte {} that this version does not know; it knows {known}",
            known + at
        ))),
    }
}

/// The same, where NULL is refused.
#[inline]
pub unsafe fn required<T: Struct>(pointer: *const T, what: &str) -> Result<T, Error> {
    if pointer.is_null() {
        return Err(invalid(format!("{what} is NULL")));
    }
    // SAFETY: the caller's contract.
    unsafe { options(pointer) }
}

/// A text, as the caller owns it.
pub unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Error> {
    if pointer.is_null() {
        return Err(invalid(format!("{what} is NULL")));
    }
    // SAFETY: not NULL, so it is a C string by the caller's contract.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| invalid(format!("{what} is not UTF-8: {error}")))
}

/// A text of at most `limit` bytes, where NULL is the empty one.
pub unsafe fn optional_text(
    pointer: *const c_char,
    what: &str,
    limit: usize,
) -> Result<String, Error> {
    if pointer.is_null() {
        return Ok(String::new());
    }
    // SAFETY: the caller's contract.
    let text = unsafe { text(pointer, what) }?;
    check_length(what, text.len(), limit)?;
    Ok(text.to_owned())
}

fn check_length(what: &str, size: usize, limit: usize) -> Result<(), Error> {
    if size <= limit {
        return Ok(());
    }
    let detail = format!("the {what} has {size} bytes; at most {limit} are allowed");
    Err(Error::new(Kind::TooLarge, detail))
}

thread_local! {
    /// The name that this thread gave last: a program mostly gives the same one again.
    static LAST_NAME: RefCell<Option<Name>> = const { RefCell::new(None) };
}

/// The name of a service, queue, topic or stream.
pub unsafe fn name(pointer: *const c_char, what: &str) -> Result<Name, Error> {
    if pointer.is_null() {
        return Err(invalid(format!("{what} is NULL")));
    }
    // SAFETY: not NULL, so it is a C string by the caller's contract.
    let given = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    LAST_NAME.with_borrow_mut(|last| match last {
        Some(name) if name.as_str().as_bytes() == given => Ok(name.clone()),
        // SAFETY: as above.
        _ => Ok(last.insert(Name::parse(unsafe { text(pointer, what) }?)?).clone()),
    })
}

/// What an instance or subscriber calls itself; NULL is nothing.
pub unsafe fn instance_name(pointer: *const c_char) -> Result<Option<Name>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's contract.
    Name::parse_instance(unsafe { text(pointer, "instance_name") }?).map(Some)
}

/// A pattern over topics.
pub unsafe fn pattern(pointer: *const c_char, what: &str) -> Result<Pattern, Error> {
    // SAFETY: the caller's contract.
    Pattern::parse(unsafe { text(pointer, what) }?)
}

/// A list of texts.
pub unsafe fn texts(
    pointer: *const *const c_char,
    count: usize,
    what: &str,
) -> Result<Vec<String>, Error> {
    if pointer.is_null() && count > 0 {
        return Err(invalid(format!("{what} is NULL, and {what}_count is {count}")));
    }
    // SAFETY: the list has as many texts as stated.
    (0..count).map(|at| Ok(unsafe { text(*pointer.add(at), what) }?.to_owned())).collect()
}

/// One of a constant's values.
pub fn one_of<T: Copy>(what: &str, value: u32, all: &[(u32, T)]) -> Result<T, Error> {
    let found = all.iter().find(|(number, _)| *number == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let numbers: Vec<String> = all.iter().map(|(number, _)| number.to_string()).collect();
        invalid(format!("{what} is {value}; allowed are {}", numbers.join(", ")))
    })
}

/// A switch, 0 or 1.
pub fn flag(what: &str, value: u32) -> Result<bool, Error> {
    one_of(what, value, &[(0, false), (1, true)])
}

/// How safe a confirmed message shall be; `None` is the hub's default.
pub fn durability_of(value: u32) -> Result<Option<Durability>, Error> {
    let durabilities = [
        (TELPHER_DURABILITY_DEFAULT, None),
        (TELPHER_DURABILITY_MEMORY, Some(Durability::Memory)),
        (TELPHER_DURABILITY_OS, Some(Durability::Os)),
        (TELPHER_DURABILITY_DISK, Some(Durability::Disk)),
    ];
    one_of("durability", value, &durabilities)
}

/// How records are packed.
pub fn compression_of(value: u32) -> Result<Option<Compression>, Error> {
    let compressions = [
        (TELPHER_COMPRESSION_NONE, None),
        (TELPHER_COMPRESSION_LZ4, Some(Compression::Lz4)),
        (TELPHER_COMPRESSION_ZSTD, Some(Compression::Zstd)),
    ];
    one_of("compression", value, &compressions)
}

/// A message to be sent.
pub unsafe fn message(pointer: *const telpher_message) -> Result<Message, Error> {
    // SAFETY: the caller's contract.
    let given = unsafe { required(pointer, "message") }?;
    // SAFETY: as above. First of all, so that a body handed over is released whatever else is
    // wrong.
    let mut message = Message::new(unsafe { body(&given) }?);
    let trace = given.trace;
    let plain = given.key_size == 0
        && given.headers_count == 0
        && given.timestamp_ms == 0
        && given.priority == 0
        && trace.trace_id == [0; 16];
    if plain {
        return Ok(message);
    }
    let properties = message.properties_mut();
    properties.priority = u8::try_from(given.priority)
        .map_err(|_| invalid(format!("priority is {}; allowed are 0 to 255", given.priority)))?;
    properties.timestamp_ms = given.timestamp_ms;
    // SAFETY: as above.
    properties.key = unsafe { key(given.key, given.key_size) }?;
    let telpher_message { headers_count: count, headers_stride: stride, .. } = given;
    // SAFETY: as above.
    properties.headers = unsafe { headers(given.headers, count, stride) }?.build();
    if trace.trace_id != [0; 16] {
        let telpher_trace { trace_id, span_id, flags } = trace;
        properties.trace = Some(Trace { trace_id, span_id, flags });
    }
    Ok(message)
}

unsafe fn body(given: &telpher_message) -> Result<Bytes, Error> {
    let lent = given.release.map(|release| Lent {
        body: given.body.cast(),
        body_size: given.body_size,
        release,
        release_arg: given.release_arg,
    });
    // SAFETY: the caller's contract.
    let body = unsafe { bytes("body", given.body, given.body_size, limits::BODY_SIZE_MAX) }?;
    Ok(match lent {
        Some(lent) => Bytes::from_owner(lent),
        None => Bytes::copy_from_slice(body),
    })
}

unsafe fn bytes<'a>(
    what: &str,
    pointer: *const c_void,
    size: usize,
    limit: usize,
) -> Result<&'a [u8], Error> {
    check_length(what, size, limit)?;
    if size == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(invalid(format!("the {what} is NULL, and its size is {size}")));
    }
    // SAFETY: not NULL, so it has `size` bytes by the caller's contract.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), size) })
}

/// A key, as a copy.
pub unsafe fn key(key: *const c_void, size: usize) -> Result<Bytes, Error> {
    // SAFETY: the caller's contract.
    let key = unsafe { bytes("key", key, size, limits::KEY_SIZE_MAX) }?;
    Ok(Bytes::copy_from_slice(key))
}

/// A list of headers, as copies.
pub unsafe fn headers(
    given: *const telpher_header,
    count: usize,
    stride: usize,
) -> Result<HeadersBuilder, Error> {
    let mut headers = HeadersBuilder::default();
    if count == 0 {
        return Ok(headers);
    }
    if given.is_null() {
        return Err(invalid(format!("headers is NULL, and headers_count is {count}")));
    }
    if stride < size_of::<telpher_header>() || stride > STRUCT_SIZE_MAX {
        return Err(invalid(format!(
            "headers_stride is {stride}; it must be sizeof(telpher_header)"
        )));
    }
    let mut size: usize = 0;
    for at in 0..count {
        // SAFETY: the list has as many headers as stated, each `stride` bytes after the other.
        let header = unsafe { given.byte_add(at * stride).read_unaligned() };
        // SAFETY: the caller's contract.
        let name = unsafe { text(header.name, "the name of a header") }?;
        let limit = limits::HEADERS_SIZE_MAX;
        // SAFETY: the caller's contract.
        let value = unsafe { bytes("value of a header", header.value, header.value_size, limit) }?;
        headers.push(name, value)?;
        size += name.len() + value.len();
        if size > limit {
            let detail = format!("the headers have over {size} bytes; at most {limit} are allowed");
            return Err(Error::new(Kind::TooLarge, detail));
        }
    }
    Ok(headers)
}

/// A body that the program has handed over.
struct Lent {
    body: *const u8,
    body_size: usize,
    release: unsafe extern "C" fn(*mut c_void),
    release_arg: *mut c_void,
}

// SAFETY: the header says that the release runs on any thread and that the body stays as it is.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.body_size == 0 {
            return &[];
        }
        // SAFETY: checked by `bytes` before; valid until the release by the caller's contract.
        unsafe { slice::from_raw_parts(self.body, self.body_size) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: the one call that the header promises.
        unsafe { (self.release)(self.release_arg) };
    }
}

/// Where a result is to be stored. Nulled when made.
pub struct Out<T>(*mut T);

impl<T: Default> Out<T> {
    /// Where NULL is refused.
    pub unsafe fn required(pointer: *mut T, what: &str) -> Result<Out<T>, Error> {
        if pointer.is_null() {
            return Err(invalid(format!("{what} is NULL")));
        }
        // SAFETY: the caller's contract.
        Ok(unsafe { Out::optional(pointer) })
    }

    /// Where NULL means that nobody wants to know.
    pub unsafe fn optional(pointer: *mut T) -> Out<T> {
        let out = Out(pointer);
        out.store(T::default());
        out
    }

    /// True if nobody wants to know.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// Stores the result.
    pub fn store(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: valid for the whole call by the contract of both constructors.
            unsafe { self.0.write(value) };
        }
    }
}

/// The smallest event that a caller may have room for, in bytes: up to its place in the batch.
pub const EVENT_SIZE_MIN: usize = offset_of!(telpher_event, code);

/// Checks the room for an event that a caller states.
pub fn check_event_size(what: &str, size: usize) -> Result<(), Error> {
    let aligned = size.is_multiple_of(align_of::<telpher_event>());
    if (EVENT_SIZE_MIN..=STRUCT_SIZE_MAX).contains(&size) && aligned {
        return Ok(());
    }
    Err(invalid(format!("{what} is {size}; it must be sizeof(telpher_event)")))
}
