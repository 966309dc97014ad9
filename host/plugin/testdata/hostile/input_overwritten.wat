;; It overwrites its input, and what lies around it.
;; Must happen: that is allowed, and harms nobody.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (memory.fill (i32.const 65536) (i32.const 255) (i32.const 65536))
    (i64.const 0)))
