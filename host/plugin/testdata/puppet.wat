;; A guest that does what the event says. Byte 0 of the event is the command:
;;
;;   0 i64    return this, packed address and length
;;   1        trap
;;   2 u8     proc_exit with this status
;;   3 i32 i32 i32   log level, address, length; then return nothing
;;   4 i32    memory.grow by so many pages, then return nothing
;;   5 u8 …   return so many of the bytes that follow, from where they lie
;;   6        spin
;;   7        call itself for ever
;;   8        double its calls, 2^40 of them, without a loop
;;   9        fill the whole memory, again and again
;;  10 u8     write so many of the bytes that follow to standard output
;;  11 i64    sleep for so many nanoseconds by poll_oneoff
;;  12        count calls in a global and return the count as data
;;  13        overwrite its input, then return nothing
;;  14        log without end
;;  15        trap in a named function
;;
;; The event lies 2 bytes into a Message frame and 4 bytes into a Batch frame
;; whose batcher and batch_key are empty, if it is shorter than 124 bytes.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $buffer (mut i32) (i32.const 65536))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 16) "spam and eggs")

  (func (export "relay_abi_v1"))

  (func $relay_buffer (export "relay_buffer") (param $size i32) (result i32)
    (local $missing i32)
    (local.set $missing
      (i32.sub
        (i32.div_u (i32.add (local.get $size) (i32.const 131071)) (i32.const 65536))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
          (then (return (i32.const 0))))))
    (global.get $buffer))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (call $obey (i32.add (local.get $ptr) (i32.const 2)) (local.get $len)))

  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (call $obey (i32.add (local.get $ptr) (i32.const 4)) (local.get $len)))

  (func $obey (param $event i32) (param $len i32) (result i64)
    (local $arg i32)
    (local.set $arg (i32.add (local.get $event) (i32.const 1)))
    (block $trap_named (block $flood (block $overwrite (block $count (block $sleep (block $print
    (block $fill (block $double (block $recurse (block $spin (block $echo (block $grow (block $logging
    (block $leave (block $trap (block $raw
      (br_table $raw $trap $leave $logging $grow $echo $spin $recurse $double $fill $print $sleep
                $count $overwrite $flood $trap_named $trap
        (i32.load8_u (local.get $event))))
      ;; 0 raw
      (return (i64.load (local.get $arg))))
      ;; 1 trap
      (unreachable))
      ;; 2 leave
      (call $exit (i32.load8_u (local.get $arg)))
      (unreachable))
      ;; 3 logging
      (call $log (i32.load (local.get $arg))
        (i32.load (i32.add (local.get $arg) (i32.const 4)))
        (i32.load (i32.add (local.get $arg) (i32.const 8))))
      (return (i64.const 0)))
      ;; 4 grow
      (drop (memory.grow (i32.load (local.get $arg))))
      (return (i64.const 0)))
      ;; 5 echo
      (return (call $bytes (local.get $arg))))
      ;; 6 spin
      (loop $forever (br $forever))
      (unreachable))
      ;; 7 recurse
      (return (call $obey (local.get $event) (local.get $len))))
      ;; 8 double
      (call $twice (i32.const 40))
      (return (i64.const 0)))
      ;; 9 fill
      (loop $again
        (memory.fill (i32.const 131072) (i32.const 0)
          (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 131072)))
        (br $again))
      (unreachable))
      ;; 10 print
      (call $print (local.get $arg))
      (return (i64.const 0)))
      ;; 11 sleep
      (call $sleep (i64.load (local.get $arg)))
      (return (i64.const 0)))
      ;; 12 count: data = one byte
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (i32.store (i32.const 512) (i32.const 0x0000012a))
      (i32.store8 (i32.const 514) (global.get $calls))
      (return (i64.or (i64.shl (i64.const 512) (i64.const 32)) (i64.const 3))))
      ;; 13 overwrite
      (memory.fill (i32.sub (local.get $event) (i32.const 2)) (i32.const 255) (local.get $len))
      (return (i64.const 0)))
      ;; 14 flood
      (loop $more
        (call $log (i32.const 1) (i32.const 16) (i32.const 13))
        (br $more))
      (unreachable))
    ;; 15 trap, with a stack to show
    (call $outer)
    (i64.const 0))

  (func $outer (call $inner))
  (func $inner (drop (i32.div_s (i32.const 1) (i32.const 0))))

  ;; A length and so many bytes, packed.
  (func $bytes (param $at i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (i32.add (local.get $at) (i32.const 1))) (i64.const 32))
      (i64.load8_u (local.get $at))))

  (func $twice (param $depth i32)
    (if (local.get $depth)
      (then
        (call $twice (i32.sub (local.get $depth) (i32.const 1)))
        (call $twice (i32.sub (local.get $depth) (i32.const 1))))))

  (func $print (param $at i32)
    (i32.store (i32.const 1024) (i32.add (local.get $at) (i32.const 1)))
    (i32.store (i32.const 1028) (i32.load8_u (local.get $at)))
    (drop (call $write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1032))))

  ;; One subscription to the monotonic clock, at 1024.
  (func $sleep (param $ns i64)
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 48))
    (i32.store (i32.const 1040) (i32.const 1))
    (i64.store (i32.const 1048) (local.get $ns))
    (if (call $poll (i32.const 1024) (i32.const 1100) (i32.const 1) (i32.const 1200))
      (then (unreachable))))

  ;; For tests to export under the names of the contract.
  (func (export "x_trap") (unreachable))
  (func (export "x_spin") (loop $forever (br $forever)))
  (func (export "x_exit") (call $exit (i32.const 0)))
  (func (export "x_nothing"))
  (func (export "x_configure_trap") (param i32 i32) (result i64) (unreachable))
  (func (export "x_configure_spin") (param i32 i32) (result i64) (loop $forever (br $forever)) (unreachable))
  ;; 10 01 1a 04 "nope": failed, with a reason
  (data (i32.const 256) "\10\01\1a\04nope")
  (func (export "x_configure_refuse") (param i32 i32) (result i64) (i64.const 0x0000010000000008))
  (func (export "x_buffer_zero") (param i32) (result i32) (i32.const 0))
  (func (export "x_buffer_end") (param i32) (result i32) (i32.mul (memory.size) (i32.const 65536)))
  (func (export "x_buffer_short") (param $size i32) (result i32)
    (i32.sub (i32.add (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (local.get $size)))
  (func (export "x_buffer_trap") (param i32) (result i32) (unreachable)))
