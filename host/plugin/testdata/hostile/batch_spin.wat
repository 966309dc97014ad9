;; It spins on a batch.
;; Must happen: the deadline ends the call.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))

  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (loop $forever (br $forever))
    (unreachable)))
