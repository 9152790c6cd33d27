//! Mail leaves over SMTP, also when the mail server was away or refused at first, and nobody waits for it.

use std::net::TcpListener;
use std::time::Duration;

use crate::node::Node;
use crate::smtp::{self, MailServer};

async fn node(port: u16) -> Node {
    let port: &'static str = port.to_string().leak();
    Node::start(&[
        ("MAIL__TRANSPORT", "smtp"),
        ("MAIL__FROM", "Rialto <no-reply@rialto.test>"),
        ("MAIL__SMTP__HOST", "127.0.0.1"),
        ("MAIL__SMTP__PORT", port),
        ("MAIL__SMTP__TLS", "none"),
        ("MAIL__SMTP__USERNAME", smtp::USER),
        ("MAIL__SMTP__PASSWORD", smtp::PASSWORD),
    ])
    .await
}

/// What the store says of the mail to somebody.
fn stored(node: &Node, recipient: &str) -> Vec<String> {
    let columns = "sent_at IS NOT NULL, attempts, body = '', due_at = 'infinity'";
    node.sql(&format!("SELECT {columns} FROM mails WHERE recipient = '{recipient}'")).remove(0)
}

/// Waits until that is in the log.
async fn logged(node: &Node, words: &str) {
    for _ in 0..300 {
        if node.screen().contains(words) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("`{words}` is not in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_waits_for_a_server_that_is_away_and_then_arrives_once() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let node = node(port).await;

    // Nobody listens there: who registers does not notice.
    let ada = node.person().await;
    logged(&node, "the SMTP server can not be reached").await;
    let bo = node.person().await;
    let server = MailServer::default();
    server.listen(port);

    for person in [&ada, &bo] {
        let mail = server.wait_for(&person.email).await;
        assert_eq!(mail.from, "no-reply@rialto.test");
        assert_eq!(mail.header("From"), "Rialto <no-reply@rialto.test>");
        assert_eq!(mail.header("To"), person.email);
        assert!(mail.header("Subject").starts_with("Confirm your address"), "{}", mail.data);
        assert!(mail.header("Message-ID").ends_with("@rialto.test>") && !mail.header("Date").is_empty());
        assert!(mail.data.contains("/verify?token="), "{}", mail.data);
    }
    // Another mail has gone out after them: had one been sent twice, that would have been before.
    let cy = node.person().await;
    server.wait_for(&cy.email).await;
    for person in [&ada, &bo, &cy] {
        assert_eq!(server.to(&person.email).len(), 1);
    }
    let of_ada = stored(&node, &ada.email);
    assert_eq!((of_ada[0].as_str(), of_ada[2].as_str()), ("t", "t"), "sent, and its text is gone: {of_ada:?}");
    assert!(of_ada[1].parse::<u32>().unwrap() >= 2, "{of_ada:?}");
    let screen = node.screen();
    for secret in [ada.email.as_str(), &bo.email, "token=", "Confirm your address", smtp::PASSWORD] {
        assert!(!screen.contains(secret), "`{secret}` is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_for_now_is_tried_again_and_one_for_good_is_not() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let server = MailServer::default();
    server.refuse("p0@test.example", &["450 4.2.0 <p0@test.example> comes later"]);
    server.refuse("p1@test.example", &["550 5.1.1 <p1@test.example> is nobody"]);
    server.listen(port);
    let node = node(port).await;

    let (later, nobody) = (node.person().await, node.person().await);
    // This server does not know SMTPUTF8: the sender itself refuses.
    node.sql(
        "INSERT INTO mails (tenant_id, id, recipient, subject, body, created_at)
         SELECT tenant_id, gen_random_uuid(), 'jörg@test.example', 'Hello', 'Hello', now() FROM mails LIMIT 1",
    );
    let other = node.person().await;
    // What is refused stands in nobody's way.
    server.wait_for(&other.email).await;
    server.wait_for(&later.email).await;

    assert_eq!((server.asked_for(&later.email), server.asked_for(&nobody.email)), (2, 1));
    assert_eq!(stored(&node, &later.email)[..2], ["t", "2"]);
    for given_up in [nobody.email.as_str(), "jörg@test.example"] {
        assert_eq!(stored(&node, given_up), ["f", "1", "f", "t"]);
    }
    let screen = node.screen();
    for word in ["mail was given up", "answered 450", "answered 550", "takes only addresses in ASCII"] {
        assert!(screen.contains(word), "the log does not say `{word}`");
    }
    assert!(!screen.contains("can not be reached"), "one address is not the server");
    assert!(!screen.contains("test.example"), "an address is in the log");
}
