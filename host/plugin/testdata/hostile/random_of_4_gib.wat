;; It asks for 4 GiB of random bytes.
;; Must happen: WASI answers with an error, and the message is handled.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (if (i32.ne (call $random_get (i32.const 16) (i32.const -1)) (i32.const 21)) (then (unreachable)))
    (i64.const 0)))
