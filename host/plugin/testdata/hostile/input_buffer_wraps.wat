;; Its buffer for a long input wraps around 4 GiB.
;; Must happen: the message fails.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32)
    (if (i32.lt_u (local.get $size) (i32.const 100)) (then (return (i32.const 65536))))
    (i32.const -8))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (i64.const 0)))
