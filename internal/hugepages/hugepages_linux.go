package hugepages

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	pageSize = 64 << 10 // the largest of the small ones, on arm64
	least    = 4 << 20  // bytes; of less the first and the last page are too large a part
)

func prefer(b []byte) {
	if len(b) < least {
		return
	}
	// The call takes whole pages; others may share the first and the last one.
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % pageSize
	whole := b[skip : len(b)-pageSize]
	_ = unix.Madvise(whole[:len(whole)/pageSize*pageSize], unix.MADV_HUGEPAGE) // only advice
}
