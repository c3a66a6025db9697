// semaphore.h: there is one thread, so nobody is ever waited for.
#ifndef SEMAPHORE_H
#define SEMAPHORE_H

typedef int sem_t;

int sem_init(sem_t *semaphore, int shared, unsigned value);
int sem_post(sem_t *semaphore);
int sem_wait(sem_t *semaphore);

#endif
