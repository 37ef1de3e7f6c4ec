package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// A session is a pseudo-console, in which the program runs.
type session struct {
	t       *testing.T
	console windows.Handle
	process windows.Handle
	keys    *os.File // what is typed goes in here

	mu     sync.Mutex
	screen bytes.Buffer // what is on the console, and what the programs say elsewhere
	grown  chan struct{}
	saying sync.WaitGroup // programs
}

// start runs the program, whose standard input is a pipe that ends at once, and
// whose output goes to another: it has to find the console by itself.
func start(t *testing.T, args ...string) *session {
	t.Helper()
	s := newSession(t)
	exe, err := exec.LookPath(program)
	require.NoError(t, err)
	// Whoever started us may have had Ctrl-C ignored, for us and our children.
	_, _, _ = windows.NewLazySystemDLL("kernel32.dll").NewProc("SetConsoleCtrlHandler").Call(0, 0)
	s.process = s.run(append([]string{exe}, args...)...)
	return s
}

func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{t: t, grown: make(chan struct{}, 1)}
	keys, typed := newPipe(t)
	shown, screen := newPipe(t)
	require.NoError(t, windows.CreatePseudoConsole(windows.Coord{X: 120, Y: 30}, windows.Handle(keys.Fd()), windows.Handle(screen.Fd()), 0, &s.console))
	t.Cleanup(func() {
		windows.ClosePseudoConsole(s.console)
		_ = typed.Close()
	})
	// The console has its own by now, and ours would keep the pipes open.
	require.NoError(t, keys.Close())
	require.NoError(t, screen.Close())
	s.keys = typed
	go s.show(shown)
	return s
}

// run starts another program in the console.
func (s *session) run(argv ...string) (process windows.Handle) {
	s.t.Helper()
	stdin, nothing := newPipe(s.t)
	require.NoError(s.t, nothing.Close())
	said, out := newPipe(s.t)
	inherited := []windows.Handle{windows.Handle(stdin.Fd()), windows.Handle(out.Fd())}
	for _, h := range inherited {
		require.NoError(s.t, windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT))
	}
	attributes, err := windows.NewProcThreadAttributeList(2)
	require.NoError(s.t, err)
	defer attributes.Delete()
	require.NoError(s.t, attributes.Update(windows.PROC_THREAD_ATTRIBUTE_HANDLE_LIST, unsafe.Pointer(&inherited[0]), uintptr(len(inherited))*unsafe.Sizeof(inherited[0])))
	// The handle itself stands where others have a pointer to a value.
	require.NoError(s.t, attributes.Update(windows.PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, *(*unsafe.Pointer)(unsafe.Pointer(&s.console)), unsafe.Sizeof(s.console)))

	startup := windows.StartupInfoEx{ProcThreadAttributeList: attributes.List()}
	startup.Cb = uint32(unsafe.Sizeof(startup))
	startup.Flags = windows.STARTF_USESTDHANDLES
	startup.StdInput, startup.StdOutput, startup.StdErr = inherited[0], inherited[1], inherited[1]
	line, err := windows.UTF16PtrFromString(windows.ComposeCommandLine(argv))
	require.NoError(s.t, err)
	var info windows.ProcessInformation
	require.NoError(s.t, windows.CreateProcess(nil, line, nil, nil, true, windows.EXTENDED_STARTUPINFO_PRESENT, nil, nil, &startup.StartupInfo, &info))
	require.NoError(s.t, windows.CloseHandle(info.Thread))
	s.t.Cleanup(func() {
		_ = windows.TerminateProcess(info.Process, 1)
		_ = windows.CloseHandle(info.Process)
	})
	require.NoError(s.t, stdin.Close())
	require.NoError(s.t, out.Close())
	s.saying.Go(func() { s.show(said) })
	return info.Process
}

func newPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var read, write windows.Handle
	require.NoError(t, windows.CreatePipe(&read, &write, nil, 0))
	return os.NewFile(uintptr(read), "read"), os.NewFile(uintptr(write), "write")
}

// show adds what r gives to the screen, until nobody writes there any more.
func (s *session) show(r io.ReadCloser) {
	defer r.Close()
	buf := make([]byte, 1024)
	for {
		n, err := r.Read(buf)
		s.mu.Lock()
		s.screen.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.grown <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *session) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// await waits until the screen shows the text n times, or more where the console
// has drawn it again.
func (s *session) await(text string, n int) {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for strings.Count(s.seen(), text) < n {
		select {
		case <-s.grown:
		case <-deadline:
			s.t.Fatalf("%q is not on the screen:\n%q", text, s.seen())
		}
	}
}

// typeText types the text, which may be more than the program has asked for yet.
func (s *session) typeText(text string) {
	s.t.Helper()
	_, err := io.WriteString(s.keys, strings.ReplaceAll(text, "\n", "\r"))
	require.NoError(s.t, err)
}

func (s *session) wait(process windows.Handle) (status int) {
	s.t.Helper()
	event, err := windows.WaitForSingleObject(process, 30_000)
	require.NoError(s.t, err)
	require.Equal(s.t, uint32(windows.WAIT_OBJECT_0), event, "it does not end:\n%q", s.seen())
	var code uint32
	require.NoError(s.t, windows.GetExitCodeProcess(process, &code))
	return int(code)
}

// exit waits for the program, checks that the console has its echo back and that
// what was typed was never shown, and returns the exit status.
func (s *session) exit(typed ...string) int {
	s.t.Helper()
	status := s.wait(s.process)
	s.runHelper("show")
	s.saying.Wait()
	assert.Contains(s.t, s.seen(), "echo true, lines true, Ctrl-C true", "as it was before")
	for _, secret := range typed {
		assert.NotContains(s.t, s.seen(), secret)
	}
	return status
}

// runHelper runs the test binary in the console to do that.
func (s *session) runHelper(as string) {
	s.t.Helper()
	s.t.Setenv(helper, as)
	defer s.t.Setenv(helper, "")
	require.Zero(s.t, s.wait(s.run(os.Args[0])), as)
}

// helper in the environment makes the test binary do one thing, and end.
const helper = "TEST_CONSOLE_HELPER"

func init() {
	switch os.Getenv(helper) {
	case "show":
		showMode()
	case "interrupt":
		signal.Notify(make(chan os.Signal, 1), os.Interrupt) // it gets one itself
		if err := windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, 0); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	case "explorer":
		cmd := exec.Command(os.Args[1], os.Args[2:]...)
		cmd.Env = append(os.Environ(), helper+"=")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		_ = cmd.Run()
		os.Exit(cmd.ProcessState.ExitCode())
	}
}

// showMode prints the state of the console.
func showMode() {
	var mode uint32
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err == nil {
		err = windows.GetConsoleMode(windows.Handle(in.Fd()), &mode)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("echo %t, lines %t, Ctrl-C %t\n", mode&windows.ENABLE_ECHO_INPUT != 0, mode&windows.ENABLE_LINE_INPUT != 0, mode&windows.ENABLE_PROCESSED_INPUT != 0)
	os.Exit(0)
}

func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

func verify(t *testing.T, file, user, password string) int {
	t.Helper()
	var out, errOut bytes.Buffer
	return Main([]string{program, "user", "verify", user, "--password-stdin", "-f", file}, strings.NewReader(password), &out, &errOut)
}

func TestPromptTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "--cost", "4", "-f", file)
	s.await(`New password for "elton":`, 1)
	s.typeText("d0cker\n")
	s.await(`Repeat the password for "elton":`, 1)
	s.typeText("d0cx\x7fker\n") // with a backspace
	require.Equal(t, 0, s.exit("d0c"), s.seen())
	assert.Contains(t, s.seen(), `added "elton"`)
	assert.Equal(t, 0, verify(t, file, "elton", "d0cker"))

	s = start(t, "user", "verify", "elton", "-f", file)
	s.await(`Password for "elton":`, 1)
	s.typeText("d0cker\n")
	require.Equal(t, 0, s.exit("d0cker"), s.seen())
}

func TestPromptAsksAgainOnMismatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "--cost", "4", "-f", file)
	for n := 1; n <= 2; n++ {
		s.await("New password", n)
		s.typeText("d0cker\n")
		s.await("Repeat", n)
		s.typeText("r3gL4b\n")
		s.await("the passwords do not match", n)
	}
	s.await("New password", 3)
	s.typeText("王小明\n")
	s.await("Repeat", 3)
	s.typeText("王小明\n")
	require.Equal(t, 0, s.exit("d0cker", "r3gL4b", "王"), s.seen())
	assert.Equal(t, 0, verify(t, file, "elton", "王小明"))
}

func TestPromptRefusesNoPassword(t *testing.T) {
	for name, typed := range map[string][]string{"empty": {"\n", "\n", "\n"}, "end of input": {"\x1a\n"}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "htpasswd")
			s := start(t, "user", "add", "elton", "-f", file)
			for n, line := range typed {
				s.await("New password", n+1)
				s.typeText(line)
			}
			require.Equal(t, int(exitPassword), s.exit(), s.seen())
			assert.NoFileExists(t, file)
		})
	}
}

// Ctrl-C ends the prompt at once: as the console hears it, and as another program in
// the console sends it, which does not end the read.
func TestCtrlCAtThePrompt(t *testing.T) {
	for name, interrupt := range map[string]func(*session){
		"typed": func(s *session) { s.typeText("\x03") },
		"sent":  func(s *session) { s.runHelper("interrupt") },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "typed" && underWine() {
				t.Skip("wine ends a program at Ctrl-C and does not ask it")
			}
			file := filepath.Join(t.TempDir(), "htpasswd")
			s := start(t, "user", "add", "elton", "-f", file)
			s.await("New password", 1)
			s.typeText("d0ck")
			interrupt(s)
			require.Equal(t, int(exitInterrupted), s.exit("d0ck"), s.seen())
			assert.Contains(t, s.seen(), "registryctl: interrupted")
			assert.NoFileExists(t, file)
		})
	}
}

// Ctrl-C ends the wait for a file that another program holds.
func TestCtrlCWhileTheFileIsHeld(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, os.WriteFile(file, []byte("# ours\n"), 0o600))
	reader, err := os.Open(file)
	require.NoError(t, err)
	defer reader.Close()
	s := start(t, "user", "add", "elton", "--hash", exampleHash, "-f", file)
	left := func() []string {
		temporary, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".htpasswd.*.registryctl-tmp"))
		return temporary
	}
	require.Eventually(t, func() bool { return len(left()) == 1 }, 20*time.Second, time.Millisecond)
	begun := time.Now()
	s.runHelper("interrupt")
	require.Equal(t, int(exitInterrupted), s.exit(), s.seen())
	assert.Less(t, time.Since(begun), 3*time.Second)
	assert.Empty(t, left())
}

// From Explorer a command does its work, and the help of a double click stays on
// the screen until a key is pressed.
func TestFromExplorer(t *testing.T) {
	exe, err := exec.LookPath(program)
	require.NoError(t, err)
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	explorer := filepath.Join(t.TempDir(), "explorer.exe")
	require.NoError(t, os.WriteFile(explorer, self, 0o700))
	t.Setenv(helper, "explorer")

	s := newSession(t)
	require.Zero(t, s.wait(s.run(explorer, exe, "version")), s.seen())
	s.await("registryctl version", 1)
	assert.NotContains(t, s.seen(), "any key")

	s = newSession(t)
	window := s.run(explorer, exe)
	s.await("any key", 1)
	assert.Contains(t, s.seen(), "Usage:\n  registryctl COMMAND")
	event, err := windows.WaitForSingleObject(window, 200)
	require.NoError(t, err)
	require.Equal(t, uint32(windows.WAIT_TIMEOUT), event, "it stays open")
	s.typeText("x")
	require.Zero(t, s.wait(window), s.seen())
}
