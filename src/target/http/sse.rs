//! Server-sent events as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event stream"), cut anywhere by the network.
//!
//! Only `data` fields matter here. An event that the stream's end cuts short is dropped, as the standard says; whether the answer was
//! whole is for the reader of the events to judge.

/// The most bytes that one event may hold: the last one of the Responses API repeats the whole answer, the probabilities of its tokens and
/// of twenty alternatives at each included.
pub(super) const MAX_EVENT: usize = 4 << 20;

/// An event that is longer than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// A parser that is fed bytes as they come and gives events when they are whole.
#[derive(Debug, Default)]
pub(super) struct SseParser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The `data` lines of the event that has not ended yet.
    data: Option<Vec<u8>>,
    /// Whether the last byte was a CR, so that a LF right behind it belongs to the same line end.
    after_cr: bool,
    /// Whether the first line has ended: a byte order mark is taken off it only.
    begun: bool,
}

impl SseParser {
    /// Takes the next bytes and gives the data of every event that they complete.
    ///
    /// # Errors
    /// When an event grows too long; the parser must not be fed any more.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let same_line_end = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                _ if same_line_end => {}
                b'\r' | b'\n' => {
                    self.after_cr = byte == b'\r';
                    events.extend(self.end_line());
                }
                _ if self.line.len() + self.data.as_ref().map_or(0, Vec::len) >= MAX_EVENT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        let mut line = &line[..];
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.data.take();
        }
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        if field == b"data" {
            match &mut self.data {
                Some(data) => data.push(b'\n'),
                None => self.data = Some(Vec::new()),
            }
            if let Some(data) = &mut self.data {
                data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::default();
        let all = chunks.iter().flat_map(|c| parser.push(c).unwrap());
        all.map(|e| String::from_utf8(e).unwrap()).collect()
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
        let mut parser = SseParser::default();
        assert!(parser.push(&vec![b'x'; MAX_EVENT]).is_ok());
        assert_eq!(parser.push(b"x"), Err(TooLong));
        let mut lines = SseParser::default();
        let line = [&b"data: "[..], &vec![b'x'; MAX_EVENT / 4], b"\n"].concat();
        assert_eq!((0..5).map(|_| lines.push(&line)).find(Result::is_err), Some(Err(TooLong)));
        let many = b"data: x\n\n".repeat(MAX_EVENT / 8);
        assert!(SseParser::default().push(&many).is_ok(), "many short events are no long one");
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
