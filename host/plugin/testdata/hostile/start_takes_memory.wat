;; Its start function takes all the memory that it can have, and spins.
;; Must happen: the module is refused.
(module
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))
  (start $s)
  (func $s
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    (loop $forever (br $forever))))
