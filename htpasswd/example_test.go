package htpasswd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/registryctl/registryctl/htpasswd"
)

// A user is added, or given another password, in a file that may not be there
// yet and that others may be editing.
func ExampleFileStore_Update() {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	hash, err := htpasswd.HashPassword([]byte("d0cker"), htpasswd.DefaultCost)
	if err != nil {
		log.Fatal(err)
	}
	store := htpasswd.FileStore{Path: filepath.Join(dir, "registry.htpasswd"), Create: true}
	changed, err := store.Update(context.Background(), func(f *htpasswd.File) error {
		return f.Set("elton", hash)
	})
	fmt.Println(changed, err)
	// Output: true <nil>
}

// A file is read to see who is in it.
func ExampleFileStore_Read() {
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "registry.htpasswd")
	text := "elton:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	f, err := htpasswd.FileStore{Path: path}.Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for user := range f.Users() {
		fmt.Println(user)
	}
	// Output: elton
}

// The users of a file, with what is known of their hashes.
func ExampleFile_All() {
	f, err := htpasswd.Parse([]byte(`# users
elton:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO
francis:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
`))
	if err != nil {
		log.Fatal(err)
	}
	for e := range f.All() {
		fmt.Println(e.Line, e.User, e.Hash)
	}
	// Output:
	// 2 elton bcrypt(5)
	// 3 francis sha1
}

// The password of a user is checked as the registry does.
func ExampleFile_Verify() {
	f, err := htpasswd.Parse([]byte("elton:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO\n"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Verify("elton", []byte("d0cker")))
	fmt.Println(f.Verify("elton", []byte("docker")))
	fmt.Println(f.Verify("francis", []byte("r3gL4b")))
	// Output:
	// <nil>
	// wrong password
	// no such user
}

// A hash that was made elsewhere is taken as it is, if the registry accepts it.
func ExampleParseHash() {
	hash, err := htpasswd.ParseHash("$2b$12$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hash) // never the hash itself
	_, err = htpasswd.ParseHash("d0cker")
	fmt.Println(err)
	// Output:
	// bcrypt(12)
	// unsupported hash
}

// What an edit does not name stays as it is.
func ExampleFile_Remove() {
	f, err := htpasswd.Parse([]byte(`# team A
elton:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO
# team B
francis:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
`))
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Remove("elton"); err != nil {
		log.Fatal(err)
	}
	_, _ = f.WriteTo(os.Stdout)
	// Output:
	// # team A
	// # team B
	// francis:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
}

// The reason for which the registry refuses everybody, with its line.
func ExampleParseError() {
	_, err := htpasswd.Parse([]byte("elton:x\nfrancis\n"))
	var refused *htpasswd.ParseError
	if errors.As(err, &refused) {
		fmt.Println(refused.Line, errors.Is(err, htpasswd.ErrNoColon))
	}
	// Output: 2 true
}
