//! Whatever comes over the control socket is a command or a reason why it is none.
#![no_main]

use gazetteer::admin::ControlRequest;
use gazetteer::publish::OperatorCommand;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(asked) = serde_json::from_slice::<ControlRequest>(octets)
        && let Err(reason) = OperatorCommand::try_from(asked)
    {
        assert!(!reason.is_empty());
    }
});
