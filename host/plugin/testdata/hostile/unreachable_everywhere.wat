;; Every export but the marker and the buffer traps, teardown and handle_batch
;; too.
;; Must happen: each message fails by itself, and so does each batch.
(module
  (memory (export "memory") 2)
  (func (export "relay_abi_v1") (unreachable))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (unreachable))
  (func (export "handle_batch") (param i32 i32) (result i64) (unreachable))
  (func (export "teardown") (unreachable)))
