//go:build !linux

package hugepages

func prefer([]byte) {}
