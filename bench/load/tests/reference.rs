//! The generator against the reference forwarder: everything sent arrives and is accounted for.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Ends the forwarder when the test ends, however it ends.
struct Forwarder(Child);

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_run_through_the_reference_forwarder_loses_nothing() {
    for spread in [false, true] {
        let report = run(spread);
        assert_eq!(report["subscribers"], 2);
        assert_eq!(report["spread"], spread);
        assert_eq!(report["received"], report["expected"], "{report}");
        assert!(report["expected"].as_u64().unwrap() > 400, "{report}");
        assert_eq!(report["srtp_profiles"][0][1], 3, "{report}");
        assert!(
            report["srtp_profiles"][0][0]
                .as_str()
                .unwrap()
                .contains("GCM"),
            "{report}"
        );
        assert!(
            report["cpu_us_per_packet"].as_f64().unwrap() > 0.1,
            "{report}"
        );
        assert!(report["delay_p50_ms"].as_f64().unwrap() > 0.0, "{report}");
    }
}

fn run(spread: bool) -> Value {
    let program = env!("CARGO_BIN_EXE_headwater-load");
    let child = Command::new(program)
        .arg("reference")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut forwarder = Forwarder(child);
    let mut line = String::new();
    let output = forwarder.0.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    let url = listening["url"].as_str().unwrap();

    let mut command = Command::new(program);
    command.args(["fanout", "--subscribers", "2", "--seconds", "1"]);
    command.args([
        "--whip",
        &format!("{url}/whip/test"),
        "--whep",
        &format!("{url}/whep/test"),
    ]);
    command.args(["--server-pid", &forwarder.0.id().to_string()]);
    if spread {
        command.arg("--spread");
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}
