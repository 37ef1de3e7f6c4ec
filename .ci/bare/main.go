// Command bare hashes each line of standard input with bcrypt, on every core,
// and does nothing else: what importing so many users costs at least.
package main

import (
	"bufio"
	"log"
	"os"
	"runtime"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

func main() {
	passwords := make(chan []byte)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for password := range passwords {
				if _, err := bcrypt.GenerateFromPassword(password, 10); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		passwords <- []byte(in.Text())
	}
	close(passwords)
	workers.Wait()
}
