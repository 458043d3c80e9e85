# SPDX-License-Identifier: Apache-2.0
"""Cells of a study, two one-thread processes side by side."""
import threading


def run_side_by_side(cells, run, ready=lambda cell: True):
    """Calls run(cell), which tells whether it went well, for all cells in their order, later ones first where an earlier
    one is not ready yet. After a failure no other cell begins. Returns whether all went well."""
    todo, lock, failed = list(cells), threading.Lock(), threading.Event()

    def take():
        with lock:
            for i, cell in enumerate(todo):
                if ready(cell):
                    return todo.pop(i)
        return None

    def work():
        while todo and not failed.is_set():
            cell = take()
            if cell is None:
                failed.wait(2)
            elif not run(cell):
                failed.set()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return not failed.is_set()
