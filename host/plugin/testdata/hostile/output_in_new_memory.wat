;; Its output lies in memory that it got during the call, while the host holds a
;; view of the old one.
;; Must happen: that is allowed.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (local.set $ptr (i32.shl (memory.grow (i32.const 16)) (i32.const 16)))
    ;; 2a 03 "new": data
    (i32.store (local.get $ptr) (i32.const 0x656e032a))
    (i32.store8 offset=4 (local.get $ptr) (i32.const 0x77))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.const 5))))
