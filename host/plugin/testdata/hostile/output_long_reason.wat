;; It fails with a reason of 2 MiB.
;; Must happen: the message fails with a reason that is cut.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (drop (memory.grow (i32.const 40)))
    (memory.fill (i32.const 70000) (i32.const 0x78) (i32.const 2097152))
    ;; 10 01 1a length
    (i32.store (i32.const 69994) (i32.const 0x801a0110))
    (i32.store16 (i32.const 69998) (i32.const 0x0180))
    (i32.store8 (i32.const 69998) (i32.const 0x80))
    (i32.store8 (i32.const 69999) (i32.const 0x80))
    (i32.store8 (i32.const 70000) (i32.const 0x01))
    (i64.const 0x0001116a00200007)))
