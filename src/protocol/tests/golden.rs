//! Golden frames: each message as JSON text and as the bytes that the Protobuf codec of the official JavaScript SDK (5.8.0) makes
//! of it. They show that others' readers and writers and ours agree; nothing here was produced by our own code.

/// What clients send.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (
        r#"{"id":1,"connect":{"token":"t.o.k","data":{"a":1},"subs":{"user:1":{"recover":true,"epoch":"e","offset":7}},"name":"js","version":"1"}}"#,
        "2e0801222a0a05742e6f2e6b12077b2261223a317d1a110a06757365723a3112071801320165380722026a732a0131",
    ),
    (
        r#"{"id":2,"subscribe":{"channel":"room:1","recover":true,"epoch":"abcd","offset":300,"flag":1}}"#,
        "1908022a150a06726f6f6d3a31180132046162636438ac027001",
    ),
    (
        r#"{"id":3,"subscribe":{"channel":"presence:1","flag":1,"type":1,"phase":2,"limit":100}}"#,
        "1a08032a160a0a70726573656e63653a3170017801800102900164",
    ),
    (
        r#"{"id":4,"subscribe":{"channel":"presence:1","epoch":"e","offset":5,"flag":1,"type":1,"phase":2,"cursor":"k9"}}"#,
        "2108042a1d0a0a70726573656e63653a313201653805700178018001028a01026b39",
    ),
    (
        r#"{"id":5,"subscribe":{"channel":"unread:1","recover":true,"epoch":"e","offset":5,"flag":1,"type":1,"phase":1}}"#,
        "1c08052a180a08756e726561643a311801320165380570017801800101",
    ),
    (r#"{"id":6,"unsubscribe":{"channel":"room:1"}}"#, "0c080632080a06726f6f6d3a31"),
    (
        r#"{"id":7,"publish":{"channel":"room:1","data":{"client_id":"c","text":"héllo\n"}}}"#,
        "3108073a2d0a06726f6f6d3a3112237b22636c69656e745f6964223a2263222c2274657874223a2268c3a96c6c6f5c6e227d",
    ),
    (r#"{"id":8,"presence":{"channel":"room:1"}}"#, "0c080842080a06726f6f6d3a31"),
    (r#"{"id":9,"presence_stats":{"channel":"room:1"}}"#, "0c08094a080a06726f6f6d3a31"),
    (
        r#"{"id":10,"history":{"channel":"room:1","limit":-1,"since":{"offset":4,"epoch":"e"},"reverse":true}}"#,
        "20080a521c0a06726f6f6d3a3138ffffffffffffffffff01420508041201654801",
    ),
    (r#"{"id":11,"ping":{}}"#, "04080b5a00"),
    (r#"{"send":{"data":[1,2]}}"#, "0962070a055b312c325d"),
    (
        r#"{"id":12,"rpc":{"data":{"room_id":"r"},"method":"message.create"}}"#,
        "25080c6a210a0f7b22726f6f6d5f6964223a2272227d120e6d6573736167652e637265617465",
    ),
    (r#"{"id":13,"refresh":{"token":"t2"}}"#, "08080d72040a027432"),
    (r#"{"id":14,"sub_refresh":{"channel":"room:1","token":"t3"}}"#, "10080e7a0c0a06726f6f6d3a3112027433"),
    (r#"{}"#, "00"),
];

/// What servers send.
pub(super) const REPLIES: &[(&str, &str)] = &[
    (
        r#"{"id":1,"connect":{"client":"c1","version":"0.1.0","expires":true,"ttl":600,"subs":{"user:1":{"recoverable":true,"epoch":"e","publications":[{"data":{"v":1},"offset":8}],"recovered":true,"offset":7,"positioned":true,"was_recovering":true}},"ping":25,"pong":true,"session":"s","node":"n"}}"#,
        "4408012a400a0263311205302e312e30180120d80432240a06757365723a31121a18013201653a0b22077b2276223a317d30084001480750016001381940014a017352016e",
    ),
    (
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"abcd","publications":[{"data":{"v":1},"info":{"user":"u","client":"c","conn_info":{"n":1}},"offset":301,"tags":{"k":"v"},"time":1700000000000}],"recovered":true,"offset":300,"positioned":true,"was_recovering":true}}"#,
        "430802323f18013204616263643a2c22077b2276223a317d2a0f0a01751201631a077b226e223a317d30ad023a060a016b1201764880d095ffbc31400148ac0250016001",
    ),
    (
        r#"{"id":3,"subscribe":{"epoch":"e","offset":5,"type":1,"phase":2,"cursor":"k9","state":[{"data":{"status":"online"},"offset":3,"key":"k1","score":-2}]}}"#,
        "330803322f320165480578018001028a01026b3992011d22137b22737461747573223a226f6e6c696e65227d30035a026b316803",
    ),
    (
        r#"{"id":4,"subscribe":{"recoverable":true,"epoch":"e","publications":[{"offset":6,"key":"k1","removed":true}],"offset":6,"positioned":true,"type":1}}"#,
        "190804321518013201653a0830065a026b316001480650017801",
    ),
    (
        r#"{"id":5,"error":{"code":112,"message":"unrecoverable position"}}"#,
        "1e0805121a08701216756e7265636f76657261626c6520706f736974696f6e",
    ),
    (r#"{"id":6,"unsubscribe":{}}"#, "0408063a00"),
    (r#"{"id":7,"publish":{}}"#, "0408074200"),
    (
        r#"{"id":8,"presence":{"presence":{"c1":{"user":"u","client":"c1"}}}}"#,
        "1308084a0f0a0d0a02633112070a017512026331",
    ),
    (r#"{"id":9,"presence_stats":{"num_clients":2,"num_users":1}}"#, "080809520408021001"),
    (
        r#"{"id":10,"history":{"publications":[{"data":{"v":1},"offset":5}],"epoch":"e","offset":9}}"#,
        "16080a5a120a0b22077b2276223a317d30051201651809",
    ),
    (r#"{"id":11,"ping":{}}"#, "04080b6200"),
    (
        r#"{"id":12,"rpc":{"data":{"id":"m","offset":12,"duplicate":false}}}"#,
        "2e080c6a2a0a287b226964223a226d222c226f6666736574223a31322c226475706c6963617465223a66616c73657d",
    ),
    (
        r#"{"id":13,"refresh":{"client":"c1","version":"0.1.0","expires":true,"ttl":600}}"#,
        "14080d72100a0263311205302e312e30180120d804",
    ),
    (
        r#"{"id":14,"error":{"code":111,"message":"too many requests","temporary":true}}"#,
        "1b080e1217086f1211746f6f206d616e792072657175657374731801",
    ),
    (
        r#"{"push":{"channel":"room:1","pub":{"data":{"v":1},"offset":302}}}"#,
        "1822161206726f6f6d3a31220c22077b2276223a317d30ae02",
    ),
    (
        r#"{"push":{"channel":"room:1","join":{"info":{"user":"u","client":"c"}}}}"#,
        "1422121206726f6f6d3a312a080a060a0175120163",
    ),
    (
        r#"{"push":{"channel":"room:1","leave":{"info":{"user":"u","client":"c"}}}}"#,
        "1422121206726f6f6d3a3132080a060a0175120163",
    ),
    (
        r#"{"push":{"channel":"room:1","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#,
        "2322211206726f6f6d3a313a1710c4131a12696e73756666696369656e74207374617465",
    ),
    (r#"{"push":{"message":{"data":{"hello":true}}}}"#, "14221242100a0e7b2268656c6c6f223a747275657d"),
    (
        r#"{"push":{"channel":"user:1","subscribe":{"recoverable":true,"epoch":"e","offset":3,"positioned":true}}}"#,
        "1522131206757365723a314a09080122016528033001",
    ),
    (r#"{"push":{"disconnect":{"code":3501,"reason":"bad request"}}}"#, "1422125a1008ad1b120b6261642072657175657374"),
    (r#"{"push":{"refresh":{"expires":true,"ttl":60}}}"#, "08220662040801103c"),
    (r#"{}"#, "00"),
];

/// An emulation body with two commands.
pub(super) const EMULATION: (&str, &str) = (
    r#"{"session":"s1","node":"n1","data":"{\"id\":6,\"unsubscribe\":{\"channel\":\"room:1\"}}\n{\"id\":11,\"ping\":{}}"}"#,
    "0a026e31120273311a120c080632080a06726f6f6d3a3104080b5a00",
);

/// Bytes from hexadecimal digits.
pub(super) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
