//! What a question asks beside a text: said in the words of either form, and read back from every spelling of a reply.

use super::*;
use crate::types::ToolChoice;

#[test]
fn what_is_asked_beside_a_text_is_said_in_the_words_of_either_form() {
    let turns = [Turn { role: Role::User, text: "?".to_owned() }];
    let body = |wants: &Wants, responses: bool| {
        let ask = Ask { model: Some("m"), turns: &turns, limit: 24, wants: Some(wants), ..Ask::default() };
        String::from_utf8(if responses { responses_body(&ask) } else { ask.body() }).unwrap()
    };
    for responses in [false, true] {
        let ask = Ask { model: Some("m"), turns: &turns, limit: 24, ..Ask::default() };
        let plain = if responses { responses_body(&ask) } else { ask.body() };
        assert_eq!(body(&Wants::default(), responses).as_bytes(), plain, "nothing asked, nothing said");
    }
    let all = everything();
    let chat: Value = serde_json::from_str(&body(&all, false)).unwrap();
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    let function = json!({"name": "lookup_order", "description": "Looks up an order.", "parameters": schema});
    assert_eq!(
        chat["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "ticket", "schema": schema, "strict": true}})
    );
    assert_eq!(chat["tools"], json!([{"type": "function", "function": function}]));
    assert_eq!((&chat["logprobs"], &chat["top_logprobs"]), (&json!(true), &json!(2)));
    assert!(chat.get("tool_choice").is_none());
    let responses: Value = serde_json::from_str(&body(&all, true)).unwrap();
    let format = json!({"type": "json_schema", "name": "ticket", "schema": schema, "strict": true});
    assert_eq!(responses["text"], json!({"format": format}));
    let mut flat = json!({"type": "function", "strict": false});
    flat.as_object_mut().unwrap().extend(function.as_object().unwrap().clone());
    assert_eq!(responses["tools"], json!([flat]));
    assert_eq!(responses["include"], json!(["message.output_text.logprobs"]));
    assert_eq!(responses["top_logprobs"], json!(2));
    for text in [body(&all, false), body(&all, true)] {
        assert!(text.contains(r#""properties":{"z":{},"a":{}}"#), "the schema's order of keys: {text}");
    }
    let offer = all.tools.as_deref().unwrap();
    for (choice, chat, responses) in [
        (ToolChoice::Auto, json!("auto"), json!("auto")),
        (ToolChoice::None, json!("none"), json!("none")),
        (ToolChoice::Required, json!("required"), json!("required")),
        (
            ToolChoice::Named("lookup_order".to_owned()),
            json!({"type": "function", "function": {"name": "lookup_order"}}),
            json!({"type": "function", "name": "lookup_order"}),
        ),
    ] {
        let strict = Tool { strict: true, parameters: None, ..offer.tools[0].clone() };
        let wants =
            Wants { tools: Some(Arc::new(Offer { tools: vec![strict], choice: Some(choice) })), ..Wants::default() };
        let read = |of_responses| serde_json::from_str::<Value>(&body(&wants, of_responses)).unwrap();
        assert_eq!((&read(false)["tool_choice"], &read(true)["tool_choice"]), (&chat, &responses));
        assert_eq!(read(false)["tools"][0]["function"]["strict"], true);
        assert_eq!(read(true)["tools"][0]["strict"], true);
        assert!(read(false)["tools"][0]["function"].get("parameters").is_none());
        assert_eq!(read(true)["tools"][0]["parameters"], json!({"type": "object", "properties": {}}));
    }
    let score = Mapping { request: "{}".to_owned(), text: "/x".to_owned(), usage: None, finish: None };
    let ask = Ask { turns: &turns, limit: 1, wants: Some(&all), ..Ask::default() };
    assert!(score.body(&ask).unwrap_err().contains("takes no `response-format`"));
}

#[test]
fn tool_calls_are_joined_by_index_and_what_cannot_be_joined_is_no_answer() {
    let read = |pieces: &[&str], reason: &str| {
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{piece}}}]}}\n\n"));
        }
        text.push_str(&format!("data: {{\"choices\":[{{\"index\":0,\"finish_reason\":\"{reason}\"}}]}}\n\n"));
        streamed(&[text.as_bytes()]).map(|s| (s.tool_calls, s.finish)).map_err(|p| p.class)
    };
    let one = |name: &str, arguments: &str, finish| Ok((vec![call(name, arguments)], finish));
    let f = |function: &str| format!("{{\"tool_calls\":[{{\"index\":0,\"function\":{function}}}]}}");
    // Told which tool to call, some end with `stop`; some repeat the name; some give the object itself.
    assert_eq!(read(&[&f(r#"{"name":"a","arguments":""}"#)], "stop"), one("a", "", Finish::ToolCalls));
    assert_eq!(
        read(&[&f(r#"{"name":"a","arguments":"{\"x"}"#), &f(r#"{"name":"a","arguments":"\":1}"}"#)], "tool_calls"),
        one("a", "{\"x\":1}", Finish::ToolCalls)
    );
    assert_eq!(
        read(&[&f(r#"{"name":"a","arguments":{"x":1}}"#)], "tool_calls"),
        one("a", "{\"x\":1}", Finish::ToolCalls)
    );
    assert_eq!(
        read(&[r#"{"function_call":{"name":"a"}}"#, r#"{"function_call":{"arguments":"{}"}}"#], "function_call"),
        one("a", "{}", Finish::ToolCalls)
    );
    // The limit cut the arguments, the filter the call: what came is kept, and says that it is not whole.
    assert_eq!(read(&[&f(r#"{"name":"a","arguments":"{"}"#)], "length"), one("a", "{", Finish::Length));
    assert_eq!(read(&[&f(r#"{"name":"a","arguments":"{"}"#)], "content_filter"), one("a", "{", Finish::Filtered));
    for pieces in [
        &[
            r#"{"tool_calls":[{"index":0,"id":"p","function":{"name":"a"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"q"}]}"#,
        ][..],
        &[&f(r#"{"arguments":"{}"}"#)],
        &[&f(r#"{"name":"a","arguments":7}"#)],
        &[r#"{"tool_calls":7}"#],
        &[],
    ] {
        assert_eq!(read(pieces, "tool_calls"), Err(Class::Unreadable), "{pieces:?}");
    }
    let whole_reply = fixture("chat_ok_tools.json");
    let read = whole(&Protocol::Chat, &whole_reply).and_then(|s| s.held_to(&everything())).unwrap();
    assert_eq!(read.tool_calls, [call("lookup_order", "{\"order_id\":\"A-1042\"}")]);
    assert_eq!((read.text.as_str(), read.finish), ("", Finish::ToolCalls));
}

#[test]
fn pieces_that_nothing_tells_apart_are_never_made_one_call() {
    let read = |functions: &[&str]| {
        let frame = |f: &&str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{f}}}]}}\n\n");
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
        let text: String = functions.iter().map(frame).chain([end.to_owned()]).collect();
        let mut stream = Stream::new(&Protocol::Chat);
        stream.push(text.as_bytes())?;
        stream.end().map(|s| s.tool_calls)
    };
    let bare = |f: &str| format!(r#"{{"tool_calls":[{{"function":{f}}}]}}"#);
    let single = |f: &str| format!(r#"{{"function_call":{f}}}"#);
    for form in [&bare as &dyn Fn(&str) -> String, &single] {
        for (one, other) in [
            (r#"{"name":"look","arguments":"{}"}"#, r#"{"name":"send","arguments":"{}"}"#),
            (r#"{"name":"look"}"#, r#"{"name":"send"}"#),
            (r#"{"name":"look","arguments":"{}"}"#, r#"{"name":"look","arguments":"{}"}"#),
            (r#"{"name":"look","arguments":{"a":1}}"#, r#"{"arguments":"{}"}"#),
        ] {
            let problem = read(&[&form(one), &form(other)]).unwrap_err();
            assert_eq!(problem.class, Class::Unreadable);
            assert!(problem.message.contains("cannot be told apart"), "{}", problem.message);
        }
        // Pieces of one call: the name once or with each of them, and an end that brings nothing.
        for pieces in [
            [r#"{"name":"look","arguments":"{\"a\""}"#, r#"{"arguments":":{}}"}"#, r#"{"arguments":""}"#],
            [r#"{"name":"look"}"#, r#"{"name":"look","arguments":"{\"a\":{}"}"#, r#"{"name":"look","arguments":"}"}"#],
        ] {
            let pieces = pieces.map(form);
            assert_eq!(read(&pieces.each_ref().map(String::as_str)).unwrap(), [call("look", "{\"a\":{}}")]);
        }
    }
    // In one piece the place tells them apart, and an index everywhere.
    let two = r#"{"tool_calls":[{"function":{"name":"look","arguments":"{}"}},{"function":{"name":"send","arguments":"{}"}}]}"#;
    assert_eq!(read(&[two]).unwrap(), [call("look", "{}"), call("send", "{}")]);
}

#[test]
fn only_a_tool_that_was_offered_may_be_called() {
    let said = |name: &str, finish| Said { tool_calls: vec![call(name, "{}")], finish, ..said("", None) };
    let with = |choice| {
        let mut wants = offering(&["look", "send"]);
        wants.tools = wants.tools.map(|o| Arc::new(Offer { choice, ..(*o).clone() }));
        wants
    };
    let held = |said: Said, wants: &Wants| said.held_to(wants).map(|s| s.finish).map_err(|p| (p.class, p.message));
    let broken = |message: &str| Err((Class::Unreadable, message.to_owned()));
    assert_eq!(held(said("send", Finish::ToolCalls), &with(None)), Ok(Finish::ToolCalls));
    let other = "the model called a tool, and it was not offered that one: `rm_rf`";
    for finish in [Finish::ToolCalls, Finish::Stop, Finish::Length] {
        assert_eq!(held(said("rm_rf", finish), &with(Some(ToolChoice::Auto))), broken(other));
    }
    let none = "the model called a tool, and was told to call none";
    assert_eq!(held(said("look", Finish::ToolCalls), &with(Some(ToolChoice::None))), broken(none));
    assert_eq!(
        held(said("look", Finish::ToolCalls), &Wants::default()),
        broken("the model called a tool, and it was offered none")
    );
    // The limit or the filter may cut a name.
    for finish in [Finish::Length, Finish::Filtered] {
        assert_eq!(held(said("lo", finish), &with(None)), Ok(finish));
    }
    assert_eq!(held(said("lo", Finish::Stop), &with(None)), broken(&other.replace("rm_rf", "lo")));
}

#[test]
fn probabilities_are_whole_or_unknown_and_never_more_than_wheld_to() {
    let read = |logprobs: &str, wants: &Wants| {
        let body =
            format!(r#"{{"choices":[{{"message":{{"content":"ab"}},"finish_reason":"stop","logprobs":{logprobs}}}]}}"#);
        whole(&Protocol::Chat, body.as_bytes()).and_then(|s| s.held_to(wants)).map(|s| s.logprobs).unwrap()
    };
    let good = r#"{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-1},{"token":"b","logprob":-2},{"token":"c","logprob":-3}]}"#;
    let want = vec![token("a", -1.0, &[("a", -1.0), ("b", -2.0)])];
    assert_eq!(read(&format!("{{\"content\":[{good}]}}"), &everything()), Some(want));
    assert_eq!(read(&format!("{{\"content\":[{good}]}}"), &Wants::default()), None, "nobody asked");
    for unknown in [
        "null".to_owned(),
        "7".to_owned(),
        r#"{"tokens":["a"],"token_logprobs":[-1]}"#.to_owned(),
        format!(r#"{{"content":[{good},{{"token":"b"}}]}}"#),
        format!(r#"{{"content":[{good},{{"logprob":-1}}]}}"#),
        r#"{"content":[{"token":"a","logprob":"-1"}]}"#.to_owned(),
        // No probability is above 1.
        format!(r#"{{"content":[{good},{{"token":"b","logprob":0.5}}]}}"#),
        format!(r#"{{"content":[{}]}}"#, good.replace("-3", "1e-3")),
        r#"{"content":[{"token":"a","logprob":-1,"top_logprobs":7}]}"#.to_owned(),
    ] {
        assert_eq!(read(&unknown, &everything()), None, "{unknown}");
    }
    let refused = br#"{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}"#;
    let said = whole(&Protocol::Chat, refused).unwrap();
    assert_eq!((said.text.as_str(), said.refused), ("No.", true));
}
