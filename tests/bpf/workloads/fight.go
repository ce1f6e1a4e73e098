// Four goroutines, one of which sleeps while it holds the mutex that the others wait for.
package main

import (
	"sync"
	"time"
)

func main() {
	var mutex sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(4 * time.Second)
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Now().Before(end) {
				mutex.Lock()
				time.Sleep(10 * time.Millisecond)
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
}
