//! Server-sent events as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event stream"), cut anywhere by the network.
//!
//! Only `data` fields matter here. An event that the stream's end cuts short is dropped, as the standard says; whether the answer was
//! whole is for the reader of the events to judge.

use memchr::{memchr, memchr2};

/// The most bytes that one event may hold: the last one of the Responses API repeats the whole answer, the probabilities of its tokens and
/// of twenty alternatives at each included.
pub(super) const MAX_EVENT: usize = 4 << 20;

/// An event that is longer than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// A parser that is fed bytes as they come and gives events when they are whole.
///
/// What lies whole in the bytes that came is read where it lies: only what a push cuts off, and events of several `data` lines, are copied.
#[derive(Debug, Default)]
pub(super) struct SseParser {
    /// The start of the line that has not ended yet, as far as earlier pushes brought it.
    line: Vec<u8>,
    /// The `data` lines of the event that has not ended yet.
    data: Option<Vec<u8>>,
    /// Whether the last byte was a CR, so that a LF right behind it belongs to the same line end.
    after_cr: bool,
    /// Whether the first line has ended: a byte order mark is taken off it only.
    begun: bool,
}

impl SseParser {
    /// Takes the next bytes and hands on the data of every event that they complete, in order.
    ///
    /// # Errors
    /// The first that `each` has, or when an event grows too long; the parser must not be fed any more.
    pub(super) fn push<E: From<TooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        // The only `data` line so far of an event that began in these bytes.
        let mut fresh: Option<&[u8]> = None;
        while let Some(end) = memchr2(b'\r', b'\n', bytes) {
            let piece = &bytes[..end];
            self.after_cr = bytes[end..] == *b"\r";
            let line_end = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
            bytes = &bytes[end + line_end..];
            self.check(piece, fresh)?;
            let first = !std::mem::replace(&mut self.begun, true);
            if !self.line.is_empty() {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.keep(value(without_mark(&line, first)));
                continue;
            }
            let line = without_mark(piece, first);
            if line.is_empty() {
                let kept = self.data.take();
                if let Some(data) = fresh.take().or(kept.as_deref()) {
                    each(data)?;
                }
            } else if let Some(value) = value(line) {
                if fresh.is_none() && self.data.is_none() {
                    fresh = Some(value);
                } else {
                    self.keep(fresh.take());
                    self.keep(Some(value));
                }
            }
        }
        self.check(bytes, fresh)?;
        self.keep(fresh);
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Copies a `data` line, if there is one, because its event goes on where it does not lie.
    fn keep(&mut self, value: Option<&[u8]>) {
        let Some(value) = value else { return };
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
    }

    /// Refuses a line that makes its event too long.
    fn check(&self, piece: &[u8], fresh: Option<&[u8]>) -> Result<(), TooLong> {
        let data = fresh.map_or(0, <[u8]>::len) + self.data.as_ref().map_or(0, Vec::len);
        if self.line.len() + piece.len() + data > MAX_EVENT { Err(TooLong) } else { Ok(()) }
    }
}

/// A line; the first of a stream without its byte order mark.
fn without_mark(line: &[u8], first: bool) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(line)
}

/// The value of a `data` line.
fn value(line: &[u8]) -> Option<&[u8]> {
    let (field, value) = match memchr(b':', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[][..]),
    };
    (field == b"data").then(|| value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::default();
        let mut all = Vec::new();
        for chunk in chunks {
            push(&mut parser, chunk, &mut all).unwrap();
        }
        all
    }

    fn push(parser: &mut SseParser, bytes: &[u8], all: &mut Vec<String>) -> Result<(), TooLong> {
        parser.push(bytes, |event| {
            all.push(String::from_utf8(event.to_vec()).unwrap());
            Ok(())
        })
    }

    #[test]
    fn every_spelling_of_the_grammar_is_understood() {
        for (text, want) in [
            ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("\u{feff}data: a\n\n", vec!["a"]),
            ("\u{feff}\u{feff}data: a\n\ndata: b\n\n", vec!["b"]),
            ("data:a\n\ndata:  b\n\n", vec!["a", " b"]),
            ("data: a\ndata: b\ndata\ndata: c\n\n", vec!["a\nb\n\nc"]),
            (": keep-alive\n\n:\n\nevent: x\nid: 1\nretry: 5\ndata: a\nunknown: y\n\n", vec!["a"]),
            ("event: nothing\n\n\n\ndata: a: b\n\n", vec!["a: b"]),
            ("data: cut\n", vec![]),
            ("data: cut", vec![]),
            ("dat\n\nDATA: x\n\n data: y\n\n", vec![]),
        ] {
            assert_eq!(events(&[text.as_bytes()]), want, "{text:?}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused_before_it_fills_the_memory() {
        let none = &mut Vec::new();
        let mut parser = SseParser::default();
        assert!(push(&mut parser, &vec![b'x'; MAX_EVENT], none).is_ok());
        assert_eq!(push(&mut parser, b"x", none), Err(TooLong));
        let mut lines = SseParser::default();
        let line = [&b"data: "[..], &vec![b'x'; MAX_EVENT / 4], b"\n"].concat();
        assert_eq!((0..5).map(|_| push(&mut lines, &line, none)).find(Result::is_err), Some(Err(TooLong)));
        let many = b"data: x\n\n".repeat(MAX_EVENT / 8);
        assert!(push(&mut SseParser::default(), &many, none).is_ok(), "many short events are no long one");
        assert_eq!(none.len(), MAX_EVENT / 8);
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_does_not_matter(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec!["data", ":", " ", "\r", "\n", "\r\n", "é", "\u{feff}", "x", "data: y\n\n"]), 0..40),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let text = pieces.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
            prop_assert_eq!(events(&chunks), events(&[text.as_bytes()]));
        }
    }
}
