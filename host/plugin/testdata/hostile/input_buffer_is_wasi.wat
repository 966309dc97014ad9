;; It exports a function of WASI as relay_buffer, which no code of its own
;; stands behind.
;; Must happen: the message fails: the answer is no address of a buffer, or the
;; call cannot be made.
(module
  (import "wasi_snapshot_preview1" "fd_sync" (func $sync (param i32) (result i32)))
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (export "relay_buffer" (func $sync))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (i64.const 0)))
